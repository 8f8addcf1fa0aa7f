"""Checks training data and refuses, with a reason, what would teach the wrong thing."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from fdd.errors import PreflightError
from fdd.training.config import FineTuneConfig
from fdd.training.data import IGNORED, Row
from fdd.training.prompts import prompt_ids
from fdd.training.tasks import Example


def fitting_rows(
    examples: Sequence[Example],
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerBase,
    config: FineTuneConfig,
    positions: int | None = None,
) -> list[Row]:
    """Returns the rows that fit into `max_length` and into the student's `positions` (None for no limit).

    Raises `PreflightError` with the reason of the first check that fails.
    """
    longest = min(config.max_length, positions or config.max_length)
    if not rows:
        raise PreflightError("empty_set", "there is no example to train on")
    for example, row in zip(examples, rows, strict=True):
        check_labels(example, row, tokenizer)
        check_prompt(example, row, tokenizer)
    fitting = [row for row in rows if len(row) <= longest]
    cut = len(rows) - len(fitting)
    advice = "raise --max-length" if longest == config.max_length else "give a student with more positions"
    if cut > config.max_truncated_share * len(rows):
        raise PreflightError(
            "too_many_truncated",
            f"{cut} of {len(rows)} examples are longer than {longest} tokens, more than the "
            f"{config.max_truncated_share:.0%} allowed: {advice}, or leave long problems out",
        )
    return fitting


def check_labels(example: Example, row: Row, tokenizer: PreTrainedTokenizerBase) -> None:
    labelled = [label for label in row.labels if label != IGNORED]
    if not any(label != tokenizer.eos_token_id for label in labelled):
        raise PreflightError("empty_labels", f"nothing to learn from the example {example.question[:60]!r}")
    if row.labels[-1] != tokenizer.eos_token_id:
        raise PreflightError(
            "eos_not_labelled",
            f"the end mark is not learnt in the example {example.question[:60]!r}: no text would ever end",
        )


def check_prompt(example: Example, row: Row, tokenizer: PreTrainedTokenizerBase) -> None:
    unlabelled = [token for token, label in zip(row.ids, row.labels, strict=True) if label == IGNORED]
    if unlabelled != prompt_ids(tokenizer, example.question, example.cue):
        raise PreflightError(
            "prompt_mismatch",
            f"training and generation read the question {example.question[:60]!r} in different words",
        )
