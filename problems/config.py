"""Settings that choose the problems that a run teaches and tests with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from fdd.flags import Flag

DEV_SIZE = 150
"""At an accuracy of 40 %, a round's loss is detected with a power of 80 % from 12 points on with 150
problems, and from 23 points on with 40 (`agents.evaluator.visible_loss`)."""
SPARE = 2
"""Problems drawn for each one to be taught, because the symbolic teacher cannot explain all of them."""


@dataclass(frozen=True, kw_only=True)
class ProblemSettings:
    """All settings that decide the problem sets; equal settings give equal sets."""

    name: Annotated[
        str,
        Flag(
            "SET",
            "gsm-symbolic, gsm8k, or a JSONL file in GSM8K's format",
            name="--problems",
            group="problems",
        ),
    ] = "gsm-symbolic"
    limit: Annotated[
        PositiveInt | None,
        Flag("N", "seed problems to take (default: what the machine teaches in about twelve minutes)"),
    ] = None
    """None takes all problems of a file or of `gsm8k`; `gsm-symbolic` needs a number."""
    skew: Annotated[
        NonNegativeFloat, Flag("X", "0: as many seeds of each template; 1: as unevenly as Zipf's law says")
    ] = 0.0
    """`gsm-symbolic` only. The template of rank r gets seeds in proportion to 1 / r^skew, but at least one if
    there are enough; the ranks are random."""
    test: Annotated[str | None, Flag("SET", "one more test set: a name as above or a JSONL file")] = None
    test_size: Annotated[PositiveInt, Flag("N", "problems in each test set")] = 200
    """Fewer if a set is smaller."""
    held_out_size: Annotated[PositiveInt, Flag("N", "test problems of templates that are never taught")] = 60
    """`gsm-symbolic` only."""
    harder_size: Annotated[NonNegativeInt, Flag("N", "problems of the test set `harder`")] = 0
    """At most; they are in-domain problems made harder."""
    dev_size: Annotated[
        PositiveInt | None,
        Flag("N", f"problems that choose between the rounds' students (default: 60 to {DEV_SIZE}, by speed)"),
    ] = None
    """None means `DEV_SIZE`, or fewer on a slow machine."""
    seed: int = 0
