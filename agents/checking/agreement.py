"""Accepts an uncertain answer if independent solutions agree on it.

After self-consistency (Wang et al., arXiv 2203.11171), with votes from several formats: their mistakes are
less alike than those of samples in one format (Liu et al., arXiv 2305.14333).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LEAST_THOUGHTS = 2
"""Fewest formats in which an answer must have been found."""


@dataclass(frozen=True, slots=True)
class Vote:
    """The result of one solution."""

    thought: str
    value: Fraction | None
    """None if the solution gave no number, which counts as a vote against every answer."""


def agreed(votes: Sequence[Vote], share: float) -> Fraction | None:
    """The only value with at least this share of all votes, in two formats or more; None if there is none.

    With `share` above one half no two values can reach it.
    """
    found: defaultdict[Fraction, list[str]] = defaultdict(list)
    for vote in votes:
        if vote.value is not None:
            found[vote.value].append(vote.thought)
    # The margin keeps a rounding error from raising the number: 0.55 * 100 is 55.00000000000001.
    needed = math.ceil(share * len(votes) - 1e-9)
    reached = [v for v, by in found.items() if len(by) >= needed and len(set(by)) >= LEAST_THOUGHTS]
    return reached[0] if len(reached) == 1 else None
