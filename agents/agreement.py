"""Accepts an answer that nobody knows for sure, when independent solutions agree on it.

After self-consistency (Wang et al., arXiv 2203.11171), with the votes spread over several formats, whose
mistakes are less alike than those of samples of one (Liu et al., arXiv 2305.14333).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LEAST_THOUGHTS = 2
"""Formats in which an answer must have been found."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one solution came to."""

    thought: str
    value: Fraction | None
    """None where it came to nothing, which is a vote against every answer."""


def agreed(votes: Sequence[Vote], share: float) -> Fraction | None:
    """The value that at least this share of all votes is for, in two formats or more; None if there is none.

    With `share` above one half no two values can reach it.
    """
    found: defaultdict[Fraction, set[str]] = defaultdict(set)
    counts: defaultdict[Fraction, int] = defaultdict(int)
    for vote in votes:
        if vote.value is not None:
            found[vote.value].add(vote.thought)
            counts[vote.value] += 1
    needed = math.ceil(share * len(votes) - 1e-9)
    reached = [v for v, count in counts.items() if count >= needed and len(found[v]) >= LEAST_THOUGHTS]
    return reached[0] if len(reached) == 1 else None
