"""Decides what is written for the next round: how many problems of each skill, and by which operator."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, fsum
from random import Random

from fdd.agents.profile import Belief, progress
from fdd.domain import AllocationName, Band, Operator

EVEN_SHARE = 0.25
"""Share of the budget that is spread evenly, so that no skill is forgotten."""
MOST = 4.0
"""A skill gets at most this many times its even share."""
FRONTIER = (0.2, 0.8)
"""Solve rates between which a skill is neither out of reach nor mastered."""
ALL_HARDER = 0.5
"""Solve rate of a skill from which all its new problems are harder. Below it, their share shrinks in
proportion."""
FAILURES = 3
"""Wrong answers, with no right one, after which a taught skill may need simpler problems."""
ABLE = 0.5
"""Solve rate over all skills from which a student gets simpler problems. Below it most skills fail for want
of training, and simpler problems teach the student to stop halfway."""


def allocate(
    policy: AllocationName,
    now: Mapping[str, Belief],
    before: Mapping[str, Belief],
    budget: int,
    chance: Random,
) -> dict[str, int]:
    """Divides a budget of problems over the skills of a profile.

    `before` is the profile of the round before, which only `progress` uses. `oracle` divides like `weak`;
    what makes it one is that each skill was probed many times.
    """
    weights = _weights(policy, now, before, budget, chance)
    if not any(weights.values()):
        weights = dict.fromkeys(now, 1.0)
    return whole(_limited(weights, budget), budget)


def _weights(
    policy: AllocationName,
    now: Mapping[str, Belief],
    before: Mapping[str, Belief],
    budget: int,
    chance: Random,
) -> dict[str, float]:
    match policy:
        case "uniform":
            return dict.fromkeys(now, 1.0)
        case "balanced":
            # Knows nothing of the student: skills with few examples so far catch up.
            level = (sum(belief.taught for belief in now.values()) + budget) / len(now)
            return {skill: max(0.0, level - belief.taught) for skill, belief in now.items()}
        case "weak" | "oracle":
            return {skill: 1 - belief.mean for skill, belief in now.items()}
        case "frontier":
            return {skill: belief.between(*FRONTIER) for skill, belief in now.items()}
        case "progress":
            return progress(now, before, chance)
        case "each":
            raise ValueError("`each` writes one child for each probed problem and divides no budget")


def _limited(weights: Mapping[str, float], budget: int) -> dict[str, float]:
    """Returns the share of each skill: an even part, and a part by weight; at most `MOST` times even.

    What a capped skill cannot take goes to the others, by weight.
    """
    even = budget / len(weights)
    shares = dict.fromkeys(weights, EVEN_SHARE * even)
    rest, open_skills = (1 - EVEN_SHARE) * budget, dict(weights)
    while rest > 1e-9 and open_skills:
        total = sum(open_skills.values())
        parts = {
            skill: rest * (weight / total if total else 1 / len(open_skills))
            for skill, weight in open_skills.items()
        }
        rest = 0.0
        for skill, part in parts.items():
            given = min(part, MOST * even - shares[skill])
            shares[skill] += given
            rest += part - given
            if given < part:
                del open_skills[skill]
    return shares


def whole(shares: Mapping[str, float], budget: int) -> dict[str, int]:
    """Rounds the shares to whole problems that sum to the budget: the largest remainders are rounded up."""
    counts = {skill: floor(share) for skill, share in shares.items()}
    by_remainder = sorted(shares, key=lambda skill: (counts[skill] - shares[skill], skill))
    for skill in by_remainder[: budget - sum(counts.values())]:
        counts[skill] += 1
    return counts


def harder_ones(counts: Mapping[str, int], now: Mapping[str, Belief]) -> dict[str, int]:
    """Returns how many problems of each skill are made harder. Their share grows with the solve rate.

    There are none for a student that has solved nothing: only the prior has it solve a little.
    """
    if not any(belief.correct for belief in now.values()):
        return dict.fromkeys(counts, 0)
    shares = {skill: number * min(1.0, now[skill].mean / ALL_HARDER) for skill, number in counts.items()}
    return whole(shares, floor(fsum(shares.values())))


def needs_simpler(belief: Belief, overall: float) -> bool:
    """Returns True for a skill of which nothing is solved although it was taught, by a student whose solve
    rate over all skills is at least `ABLE`.
    """
    return overall >= ABLE and bool(belief.taught) and not belief.correct and belief.n >= FAILURES


def operator_for(band: Band) -> Operator:
    """Returns how a child of a single problem is made, for `--allocation each`: harder if the parent is easy,
    otherwise similar.
    """
    return Operator.HARDER if band is Band.EASY else Operator.SIMILAR
