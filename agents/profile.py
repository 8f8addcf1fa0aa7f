"""The skill profile: what is believed about a student's solve rate on each skill, from answers to probes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from random import Random

from mpmath import betainc

DISCOUNT = 0.5
"""Weight of a round's evidence relative to that of the round after it, because the student changes."""
PRIOR_ANSWERS = (4.0, 50.0)
"""Least and most answers at the overall solve rate that a skill's prior stands for: few where skills differ
much, many where their solve rates differ hardly more than by chance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """How a round's student answered the probes of one skill."""

    round: int
    skill: str
    n: int
    correct: int
    taught: int = 0
    """Problems of the skill that the student had been taught by then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """Beta posterior of the solve rate on a skill."""

    alpha: float
    beta: float
    correct: float
    """Right answers to probes, discounted by age."""
    n: float
    """Answers to probes, discounted by age."""
    taught: int

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    def between(self, low: float, high: float) -> float:
        """Returns P(low < solve rate < high)."""
        return float(betainc(self.alpha, self.beta, low, high, regularized=True))

    def draw(self, chance: Random) -> float:
        return chance.betavariate(self.alpha, self.beta)


def profile(probes: Iterable[Probed], round: int) -> dict[str, Belief]:
    """Returns the belief about each skill that was probed up to this round, by skill in alphabetical order.

    Older answers count less, by `DISCOUNT` for each round. The prior is centred on the overall solve rate, so
    a skill with few answers is believed to be like the others. It weighs more where skills differ less.
    """
    right: defaultdict[str, float] = defaultdict(float)
    asked: defaultdict[str, float] = defaultdict(float)
    taught: dict[str, int] = {}
    for probe in sorted(probes, key=lambda probe: probe.round):
        if probe.round <= round:
            weight = DISCOUNT ** (round - probe.round)
            right[probe.skill] += weight * probe.correct
            asked[probe.skill] += weight * probe.n
            taught[probe.skill] = probe.taught
    # Laplace's rule keeps both parameters of the prior above zero when all answers or none are right.
    overall = (sum(right.values()) + 1) / (sum(asked.values()) + 2)
    weight = prior_answers([(right[skill], n) for skill, n in asked.items() if n])
    return {
        skill: Belief(
            alpha=weight * overall + right[skill],
            beta=weight * (1 - overall) + asked[skill] - right[skill],
            correct=right[skill],
            n=asked[skill],
            taught=taught[skill],
        )
        for skill in sorted(asked)
    }


def prior_answers(answers: Sequence[tuple[float, float]]) -> float:
    """Returns how many answers the prior of each skill weighs, from the right answers and answers of skills.

    It is the sum of both parameters of the beta distribution from which the skills' solve rates are drawn, by
    the method of moments (Kleinman, "Proportions with extraneous variance", JASA 68, 1973), within the limits
    of `PRIOR_ANSWERS`. Without evidence for or against a difference it is the lower limit.
    """
    least, most = PRIOR_ANSWERS
    total = fsum(n for _, n in answers)
    mean = fsum(right for right, _ in answers) / total if total else 0.0
    by_chance = len(answers) - 1.0
    more = total - fsum(n * n for _, n in answers) / total - by_chance if total else 0.0
    if not 0 < mean < 1 or more <= 0:
        return least
    spread = fsum(n * (right / n - mean) ** 2 for right, n in answers) / (mean * (1 - mean))
    correlation = (spread - by_chance) / more  # of two answers to one skill
    return min(most, max(least, 1 / correlation - 1)) if correlation > 0 else most


def progress(now: Mapping[str, Belief], before: Mapping[str, Belief], chance: Random) -> dict[str, float]:
    """Draws the gain of each skill's solve rate since the round before; 0 where it fell.

    Draws in place of means (Thompson sampling) give skills with little evidence their turn.
    """
    gains = {}
    for skill, belief in now.items():
        earlier = before.get(skill)
        drawn = belief.draw(chance) - (earlier.draw(chance) if earlier else 0.0)
        # The gain of a skill that has just grown from another one is unknown.
        gains[skill] = max(0.0, drawn) if earlier or not before else 0.0
    return gains
