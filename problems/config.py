"""Which problems a run teaches and tests with."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

DEV_SIZE = 150
"""At an accuracy of 40 % the undo sees losses from 12 points on with 150 problems, from 23 on with 40
(`agents.evaluator.visible_loss`)."""


@dataclass(frozen=True, kw_only=True)
class ProblemSettings:
    """Everything that decides the problem sets: equal settings give equal sets."""

    name: str = "gsm-symbolic"
    """`gsm-symbolic`, `gsm8k`, or a JSONL file in GSM8K's format."""
    test: str | None = None
    """One more test set: a name as above, or a JSONL file."""
    limit: PositiveInt | None = None
    """Number of seed problems; None takes all that a file has, and `gsm-symbolic` needs a number."""
    test_size: PositiveInt = 200
    """Problems in each test set, where there are so many."""
    held_out_size: PositiveInt = 60
    """Problems of the templates that are never taught (`gsm-symbolic` only)."""
    dev_size: PositiveInt | None = None
    """Problems for choosing between students, at most; None for `DEV_SIZE`, or fewer on a slow machine."""
    seed: int = 0
