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
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from fdd.training.student import Student

BLOCK = 32
"""A packed cache grows by this many positions at a time."""
SIMILAR, LEAST_READ = 1.2, 8
"""Prompts are read together if their lengths differ by at most this factor, or if they are so few."""


@dataclass(slots=True)
class Ends:
    """What all layers of a packed cache share. They must not refer to the batch: a circle of references would
    keep its memory until the garbage collector runs."""

    lengths: Tensor
    """Of the rows."""
    positions: int = 0
    """Of the cache; 0 while the prompts are stored as one block, not row by row."""


class PackedLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # the base class has an untyped hook
    """Keys and values of one layer; each new position is stored behind the end of its row."""

    keys: Any
    values: Any

    def __init__(self, ends: Ends) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ends = ends

    def get_seq_length(self) -> int:
        # One less than the positions, since transformers adds the new token.
        return self.ends.positions - 1 if self.ends.positions else super().get_seq_length()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.ends.positions:
            return super().update(key_states, value_states, *args, **kwargs)
        self.keys, self.values = self.put(self.keys, key_states), self.put(self.values, value_states)
        return self.keys, self.values

    def put(self, stored: Tensor, new: Tensor) -> Tensor:
        stored = widened(stored, self.ends.positions)
        stored[torch.arange(len(stored), device=stored.device), :, self.ends.lengths] = new[:, :, 0]
        return stored

    def join(self, other: PackedLayer) -> None:
        positions = max(self.keys.shape[2], other.keys.shape[2])
        self.keys = torch.cat([widened(self.keys, positions), widened(other.keys, positions)])
        self.values = torch.cat([widened(self.values, positions), widened(other.values, positions)])


def widened(stored: Tensor, positions: int) -> Tensor:
    """Returns `stored`, (rows, heads, positions, size), with zeros appended up to this many positions."""
    more = positions - stored.shape[2]
    return pad(stored, (0, 0, 0, more)) if more > 0 else stored


class PackedReading:
    """A batch of texts that grow token by token, whose cache has no gaps."""

    logits: Tensor
    """(rows, vocabulary), for each row's next token."""

    def __init__(self, student: Student, prompts: Sequence[list[int]], layers: int) -> None:
        """Reads all tokens but the last of every prompt together, then the last ones, at their positions."""
        self.student, device = student, student.runtime.device
        self.last = last_position(student)
        self.ends = Ends(torch.tensor([len(ids) - 1 for ids in prompts], device=device))
        self.layers = [PackedLayer(self.ends) for _ in range(layers)]
        self.cache = Cache(layers=[*self.layers])
        shared = read_shared(student, prompts, self.cache)
        rests = [torch.tensor(ids[shared:-1], dtype=torch.long) for ids in prompts]
        tokens = pad_sequence(rests, batch_first=True)
        if tokens.shape[1]:
            student.model.base_model(input_ids=tokens.to(device), past_key_values=self.cache, use_cache=True)
        self.advance(torch.tensor([ids[-1] for ids in prompts], device=device))

    def keep(self, rows: Tensor) -> None:
        """Drops all other rows. `logits` stays as it is until the next `advance`."""
        self.ends.lengths = self.ends.lengths[rows]
        self.ends.positions = self.needed()
        for layer in self.layers:
            layer.keys = layer.keys[rows, :, : self.ends.positions]
            layer.values = layer.values[rows, :, : self.ends.positions]

    def join(self, other: PackedReading) -> None:
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.join(theirs)
        self.ends.lengths = torch.cat([self.ends.lengths, other.ends.lengths])
        self.ends.positions = max(self.ends.positions, other.ends.positions)
        self.logits = torch.cat([self.logits, other.logits])

    def advance(self, tokens: Tensor) -> None:
        """Appends one token to each row and computes `logits`."""
        self.ends.positions = max(self.ends.positions, self.needed())
        lengths = self.ends.lengths[:, None]
        places = torch.arange(self.ends.positions, device=lengths.device)
        mask = (places <= lengths).long()  # the new token is stored at `lengths`
        positions = lengths.clamp(max=self.last)
        self.logits = next_logits(self.student, tokens[:, None], mask, positions, self.cache)
        self.ends.lengths = self.ends.lengths + 1

    def needed(self) -> int:
        """Returns the positions, in whole blocks, for all rows and one more token each."""
        return (int(self.ends.lengths.max()) // BLOCK + 1) * BLOCK


class PaddedReading:
    """A batch padded on the left, for students whose cache cannot be packed."""

    logits: Tensor

    def __init__(self, student: Student, prompts: Sequence[list[int]], cache: Cache) -> None:
        self.student, self.cache, self.last = student, cache, last_position(student)
        device = student.runtime.device
        shared = read_shared(student, prompts, cache)
        rests = [torch.tensor(ids[shared:]) for ids in prompts]
        tokens = pad_sequence(rests, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(rest) for rest in rests], batch_first=True, padding_side="left")
        # The padding, with a mask of 0, lies between the shared beginning and the rest of each prompt.
        self.mask = torch.cat([mask.new_ones(len(rests), shared), mask], dim=1).to(device)
        positions = self.mask.cumsum(dim=1)[:, shared:] - 1
        self.positions = positions[:, -1]  # of each row's last token
        tokens, positions = tokens.to(device), positions.clamp(min=0)
        self.logits = next_logits(student, tokens, self.mask, positions, cache, logits_to_keep=1)

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask, self.positions = self.mask[rows], self.positions[rows]

    def advance(self, tokens: Tensor) -> None:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        self.positions = (self.positions + 1).clamp(max=self.last)
        positions = self.positions[:, None]
        self.logits = next_logits(self.student, tokens[:, None], self.mask, positions, self.cache)


Reading = PackedReading | PaddedReading


def read_prompts(student: Student, prompts: Sequence[list[int]]) -> Reading:
    """Runs the prompts through the student, packed if every layer's cache is a plain `DynamicLayer`.

    Packed prompts are fastest in the order of their lengths, as those of similar length are read together.
    """
    cache = DynamicCache(config=student.model.config)
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        return PaddedReading(student, prompts, cache)
    pieces = similar_pieces(prompts)
    first, *others = (PackedReading(student, piece, len(cache.layers)) for piece in pieces)
    for other in others:
        first.join(other)
    return first


def similar_pieces(prompts: Sequence[list[int]]) -> list[list[list[int]]]:
    """Splits the prompts, in this order, where their lengths begin to differ by more than `SIMILAR`."""
    pieces: list[list[list[int]]] = [[]]
    for prompt in prompts:
        lengths = [len(prompt), *map(len, pieces[-1])]
        if len(pieces[-1]) >= LEAST_READ and max(lengths) > SIMILAR * min(lengths):
            pieces.append([])
        pieces[-1].append(prompt)
    if len(pieces) > 1 and len(pieces[-1]) < LEAST_READ:
        last = pieces.pop()
        pieces[-1] += last
    return pieces


def next_logits(
    student: Student, tokens: Tensor, mask: Tensor, positions: Tensor, cache: Cache, **options: int
) -> Tensor:
    found: Tensor = student.model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        **options,
    ).logits
    return found[:, -1]


def last_position(student: Student) -> int:
    """Returns the position at which finished rows stay while the others go on."""
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
    pairs = zip(min(rows), max(rows), strict=False)
    return [token for token, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
