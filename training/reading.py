"""The cache of a batch of texts: a beginning that all share is read once, finished rows are removed, and new
rows join.

The texts differ in length. In a packed cache each text is stored from the left without gaps, and the
positions behind it are masked. So its sums run over the same numbers in the same order whatever the other
rows are. If matrix products do not depend on the number of rows, then neither does the text: it is what
transformers' own `generate` writes with `eager` attention to two copies of the prompt. Products in bfloat16
on a CPU do not depend on it from two rows on, except with AMX: there, 2 of 80 texts of a taught student
changed with the other rows. With the usual padding on the left, every seventh text changed without AMX.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from fdd.training.student import Student

BLOCK = 32
"""A packed cache grows by this many positions at a time."""


class Reading(Protocol):
    """A batch of texts that grow token by token."""

    logits: Tensor
    """(rows, vocabulary), for each row's next token."""

    def keep(self, rows: Tensor) -> None:
        """Drops all other rows. `logits` stays as it is until the next `advance`."""
        ...

    def advance(self, student: Student, tokens: Tensor) -> None:
        """Appends one token to each row and computes `logits`."""
        ...


def read_prompts(student: Student, prompts: Sequence[list[int]]) -> Reading:
    """Runs the prompts through the student, packed if every layer's cache is a plain `DynamicLayer`."""
    cache = DynamicCache(config=student.model.config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return read_packed(student, prompts, len(cache.layers))
    return read_padded(student, prompts, cache)


@dataclass(slots=True)
class Ends:
    """The length of each row of a packed batch, shared by all layers of its cache."""

    lengths: Tensor | None = None
    """None while the prompts are read: they are stored as one block, not row by row."""
    longest: int = 0
    """One less than the cache's positions, since transformers adds the new token to it."""


class PackedLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # the base class has an untyped hook
    """Keys and values of one layer; each new position is stored behind the end of its row."""

    def __init__(self, ends: Ends) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ends = ends

    def get_seq_length(self) -> int:
        return super().get_seq_length() if self.ends.lengths is None else self.ends.longest

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if self.ends.lengths is None:
            return super().update(key_states, value_states, *args, **kwargs)
        assert self.keys is not None and self.values is not None
        self.keys = put(self.keys, key_states, self.ends)
        self.values = put(self.values, value_states, self.ends)
        return self.keys, self.values

    def keep(self, rows: Tensor, positions: int) -> None:
        assert self.keys is not None and self.values is not None
        self.keys, self.values = self.keys[rows, :, :positions], self.values[rows, :, :positions]

    def join(self, other: PackedLayer) -> None:
        assert self.keys is not None and self.values is not None
        assert other.keys is not None and other.values is not None
        positions = max(self.keys.shape[2], other.keys.shape[2])
        self.keys = torch.cat([widened(self.keys, positions), widened(other.keys, positions)])
        self.values = torch.cat([widened(self.values, positions), widened(other.values, positions)])


def put(stored: Tensor, new: Tensor, ends: Ends) -> Tensor:
    """Returns `stored`, (rows, heads, positions, size), with a new position written behind each row's end."""
    stored = widened(stored, ends.longest + 1)
    stored[torch.arange(len(stored), device=stored.device), :, ends.lengths] = new[:, :, 0]
    return stored


def widened(stored: Tensor, positions: int) -> Tensor:
    """Returns `stored`, (rows, heads, positions, size), with zeros appended up to this many positions."""
    more = positions - stored.shape[2]
    if more <= 0:
        return stored
    return torch.cat([stored, stored.new_zeros(*stored.shape[:2], more, stored.shape[3])], dim=2)


@dataclass(slots=True)
class PackedReading:
    """A batch whose cache has no gaps."""

    cache: Cache
    layers: list[PackedLayer]
    """The layers of `cache`."""
    ends: Ends
    last: int
    """The student's last position; finished rows stay there while the others go on."""
    logits: Tensor

    def keep(self, rows: Tensor) -> None:
        assert self.ends.lengths is not None
        self.ends.lengths = self.ends.lengths[rows]
        positions = room_for(self.ends.lengths)
        for layer in self.layers:
            layer.keep(rows, positions)
        self.ends.longest = positions - 1

    def join(self, other: PackedReading) -> None:
        """Appends the other batch's rows."""
        assert self.ends.lengths is not None and other.ends.lengths is not None
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.join(theirs)
        self.ends.lengths = torch.cat([self.ends.lengths, other.ends.lengths])
        self.ends.longest = max(self.ends.longest, other.ends.longest)
        self.logits = torch.cat([self.logits, other.logits])

    def advance(self, student: Student, tokens: Tensor) -> None:
        assert self.ends.lengths is not None
        self.ends.longest = max(self.ends.longest, room_for(self.ends.lengths) - 1)
        lengths = self.ends.lengths[:, None]
        places = torch.arange(self.ends.longest + 1, device=lengths.device)
        self.logits = student.model(
            input_ids=tokens[:, None],
            attention_mask=(places <= lengths).long(),  # the new token is stored at `lengths`
            position_ids=lengths.clamp(max=self.last),
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        self.ends.lengths = self.ends.lengths + 1


def room_for(lengths: Tensor) -> int:
    """Returns the positions, in whole blocks, for rows of these lengths and one more token each."""
    return (int(lengths.max()) // BLOCK + 1) * BLOCK


def read_packed(student: Student, prompts: Sequence[list[int]], layers: int) -> PackedReading:
    """Reads all tokens but the last of every prompt together, then the last ones, whose positions differ."""
    device, ends = student.runtime.device, Ends()
    packed = [PackedLayer(ends) for _ in range(layers)]
    cache = Cache(layers=[*packed])
    shared = read_shared(student, prompts, cache)
    rests = [ids[shared:-1] for ids in prompts]
    tokens = torch.zeros(len(rests), max(map(len, rests)), dtype=torch.long)
    for row, rest in enumerate(rests):
        tokens[row, : len(rest)] = torch.tensor(rest)
    if tokens.shape[1]:
        student.model.base_model(input_ids=tokens.to(device), past_key_values=cache, use_cache=True)
    ends.lengths = torch.tensor([len(ids) - 1 for ids in prompts], device=device)
    reading = PackedReading(cache, packed, ends, last_position(student), torch.empty(0))
    reading.advance(student, torch.tensor([ids[-1] for ids in prompts], device=device))
    return reading


@dataclass(slots=True)
class PaddedReading:
    """A batch padded on the left, for students whose cache cannot be packed."""

    cache: Cache
    mask: Tensor
    """(rows, positions): 1 where a position holds a token, 0 where it is padding."""
    positions: Tensor
    """Index of each row's last token."""
    last: int
    """As in `PackedReading`."""
    logits: Tensor

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask, self.positions = self.mask[rows], self.positions[rows]

    def advance(self, student: Student, tokens: Tensor) -> None:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        self.positions = (self.positions + 1).clamp(max=self.last)
        self.logits = student.model(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.positions[:, None],
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]


def read_padded(student: Student, prompts: Sequence[list[int]], cache: Cache) -> PaddedReading:
    device = student.runtime.device
    shared = read_shared(student, prompts, cache)
    rests = [ids[shared:] for ids in prompts]
    width = max(map(len, rests))
    tokens = torch.zeros(len(rests), width, dtype=torch.long)
    mask = torch.ones(len(rests), shared + width, dtype=torch.long)
    for row, rest in enumerate(rests):
        tokens[row, width - len(rest) :] = torch.tensor(rest)
        mask[row, shared : shared + width - len(rest)] = 0
    # The padding lies between the shared beginning and the rest of each prompt.
    tokens, mask = tokens.to(device), mask.to(device)
    positions = mask.cumsum(dim=1)[:, shared:] - 1
    output = student.model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions.clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return PaddedReading(cache, mask, positions[:, -1], last_position(student), output.logits[:, -1])


def last_position(student: Student) -> int:
    return sys.maxsize if student.positions is None else student.positions - 1


def read_shared(student: Student, prompts: Sequence[list[int]], cache: Cache) -> int:
    """Reads the beginning that all prompts share once for all rows, and returns its number of tokens."""
    shared = common_start([ids[:-1] for ids in prompts])  # each row's last token gives its first logits
    if len(shared) < 2 or len(prompts) < 2:
        return 0
    tokens = torch.tensor([shared], device=student.runtime.device)
    student.model.base_model(input_ids=tokens, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(prompts))
    return len(shared)


def common_start(rows: Sequence[list[int]]) -> list[int]:
    # In lexicographic order, what the first and the last row begin with is what all rows begin with.
    low, high = min(rows), max(rows)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return [token for token, _ in same]
