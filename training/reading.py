"""Where a student stands in a batch of texts: what all begin with is read once, ended rows are cut out, and
others join.

Texts are of unlike length. Packed, each of them lies in the cache without a gap, from the left, and what
follows it is masked. So its sums run over the same numbers in the same order whoever its mates are, and
where products do not hang on the number of rows, neither does its text: it is that which transformers' own
`generate` writes with `eager` attention to the same prompt, given twice. Products in bfloat16 on a CPU do
not, from two rows on, but with AMX they do: there two of 80 texts of a taught student took another turn with
other mates. Padded on the left, as is usual, every seventh did so without AMX.
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

from training.student import Student

BLOCK = 32
"""Positions by which a packed cache grows."""


class Reading(Protocol):
    """A batch of texts that grow token by token."""

    logits: Tensor
    """(rows, vocabulary): of each row's next token."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        ...

    def advance(self, student: Student, tokens: Tensor) -> None:
        """Append a token to each row."""
        ...


def read_prompts(student: Student, prompts: Sequence[list[int]]) -> Reading:
    """Run the prompts through the student."""
    cache = DynamicCache(config=student.model.config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return read_packed(student, prompts, len(cache.layers))
    return read_padded(student, prompts, cache)


@dataclass(slots=True)
class Ends:
    """How long each row of a packed batch is; all layers of its cache share it."""

    lengths: Tensor | None = None
    """None while the prompts are read, which lie side by side already."""
    longest: int = 0


class PackedLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # of a hook that the base defines
    """Keys and values of one layer, each new one behind the end of its own row."""

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
    """The stored (rows, heads, positions, size) with one new position behind the end of each row."""
    stored = widened(stored, ends.longest + 1)
    stored[torch.arange(len(stored), device=stored.device), :, ends.lengths] = new[:, :, 0]
    return stored


def widened(stored: Tensor, positions: int) -> Tensor:
    """The stored (rows, heads, positions, size) with room for so many positions."""
    more = positions - stored.shape[2]
    if more <= 0:
        return stored
    return torch.cat([stored, stored.new_zeros(*stored.shape[:2], more, stored.shape[3])], dim=2)


@dataclass(slots=True)
class PackedReading:
    """Texts without gaps."""

    cache: Cache
    layers: list[PackedLayer]
    """Of the cache."""
    ends: Ends
    last: int
    """The last position; rows that have ended stay there for as long as their mates go on."""
    logits: Tensor

    def keep(self, rows: Tensor) -> None:
        assert self.ends.lengths is not None
        self.ends.lengths = self.ends.lengths[rows]
        positions = room_for(self.ends.lengths)
        for layer in self.layers:
            layer.keep(rows, positions)
        self.ends.longest = positions - 1

    def join(self, other: PackedReading) -> None:
        """Go on with the other's rows too, behind one's own."""
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
            attention_mask=(places <= lengths).long(),
            position_ids=lengths.clamp(max=self.last),
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        self.ends.lengths = self.ends.lengths + 1


def room_for(lengths: Tensor) -> int:
    """Positions of a cache whose rows have these lengths and get one token more, in whole blocks."""
    return (int(lengths.max()) // BLOCK + 1) * BLOCK


def read_packed(student: Student, prompts: Sequence[list[int]], layers: int) -> PackedReading:
    """All but the last tokens are read together; those, which stand at unlike places, one row a token."""
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
    """Texts padded on the left, for students whose cache is of another kind."""

    cache: Cache
    mask: Tensor
    """(rows, positions): 1 where a position holds a token, 0 where it is padding."""
    positions: Tensor
    """Index of each row's last token."""
    last: int
    """As of a packed batch."""
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
    """Read what all prompts begin with, once for all of them; how many tokens that are."""
    shared = common_start([ids[:-1] for ids in prompts])
    if len(shared) < 2 or len(prompts) < 2:
        return 0
    tokens = torch.tensor([shared], device=student.runtime.device)
    student.model.base_model(input_ids=tokens, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(prompts))
    return len(shared)


def common_start(rows: Sequence[list[int]]) -> list[int]:
    # The smallest and the greatest row agree on no more than all rows do.
    low, high = min(rows), max(rows)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return [token for token, _ in same]
