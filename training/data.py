"""Turns examples into rows of tokens in which only the rationale is labelled, and rows into batches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from fdd.errors import PreflightError
from fdd.training.config import FineTuneConfig
from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.tasks import Example

IGNORED = -100
"""Label of a position that does not count in the loss."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tokenized example; `labels[i]` is `ids[i]` if the student is to learn it, else `IGNORED`."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> int:
        return sum(label != IGNORED for label in self.labels)


def encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> Row:
    prompt = prompt_ids(tokenizer, example.question, example.cue)
    rationale = rationale_ids(tokenizer, example.rationale)
    return Row((*prompt, *rationale), (*(IGNORED for _ in prompt), *rationale))


def fitting_rows(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, config: FineTuneConfig, positions: int
) -> list[Row]:
    """Returns the examples that fit into `max_length` and into the student's `positions`.

    Raises `PreflightError` if there is no example, one has an empty rationale, or too many are too long.
    """
    if not examples:
        raise PreflightError("there is no example to train on")
    rows = [encode(tokenizer, example) for example in examples]
    for example, row in zip(examples, rows, strict=True):
        if set(row.labels) <= {IGNORED, tokenizer.eos_token_id}:
            raise PreflightError(f"nothing to learn from the example {example.question[:60]!r}")
    longest = min(config.max_length, positions)
    fitting = [row for row in rows if len(row) <= longest]
    cut = len(rows) - len(fitting)
    if cut > config.max_truncated_share * len(rows):
        limited = longest < config.max_length
        advice = "give a student with more positions" if limited else "raise --max-length"
        raise PreflightError(
            f"{cut} of {len(rows)} examples are longer than {longest} tokens, more than the "
            f"{config.max_truncated_share:.0%} allowed: {advice}, or leave long problems out",
        )
    return fitting


def epoch_batches(rows: Sequence[Row], batch_size: int, rng: random.Random) -> list[list[Row]]:
    """Returns every row once, in random batches whose sizes differ by at most one."""
    # Not sorted by length, since that would put similar problems into one step.
    order = list(rows)
    rng.shuffle(order)
    number = ceil(len(order) / batch_size)
    return [order[i * len(order) // number : (i + 1) * len(order) // number] for i in range(number)]


def micro_batches(batch: Sequence[Row], max_tokens: int) -> list[list[Row]]:
    """Splits the batch by length into pieces of at most `max_tokens` tokens, padding included, or one row."""
    pieces: list[list[Row]] = []
    for row in sorted(batch, key=len):
        if pieces and (len(pieces[-1]) + 1) * len(row) <= max_tokens:
            pieces[-1].append(row)
        else:
            pieces.append([row])
    return pieces


def split_evenly(rows: Sequence[Row], shares: int) -> list[list[Row]]:
    """Splits the rows into at most `shares` lists with about the same number of tokens each."""
    # The longest rows come first, and go to the lists in order and in reverse order by turns.
    ordered = sorted(rows, key=len, reverse=True)
    turns = [*range(shares), *reversed(range(shares))]
    lists = [[row for i, row in enumerate(ordered) if turns[i % len(turns)] == n] for n in range(shares)]
    return [each for each in lists if each]


def in_a_row(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns token ids, positions and labels, each (1, tokens), with the rows one after another."""
    ids = torch.tensor([token for row in rows for token in row.ids])
    labels = torch.tensor([label for row in rows for label in row.labels])
    return ids[None], torch.cat([torch.arange(len(row)) for row in rows])[None], labels[None]


def to_tensors(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns token ids, attention mask and labels, each (rows, longest row), padded on the right."""
    ids = pad_sequence([torch.tensor(row.ids) for row in rows], batch_first=True)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
    labels = [torch.tensor(row.labels) for row in rows]
    return ids, mask, pad_sequence(labels, batch_first=True, padding_value=IGNORED)
