"""What counts of right answers say: interval of the accuracy, posterior of the solve rate, band, harm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from domain import Band, Interval

Z95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


HARM_LEVEL = 0.05
"""A student that is worse with a p-value up to this one was harmed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """What is known of a solve rate after some samples."""

    mean: float
    low: float
    """2.5 % quantile."""
    high: float
    """97.5 % quantile."""


def wilson(correct: int, n: int) -> Interval:
    """The 95 % score interval of a share: E. B. Wilson, JASA 22 (1927), 209-212.

    Unlike the normal approximation it stays inside 0..1 and has a width even when all or none are right.
    """
    _check(correct, n)
    if n == 0:
        raise ValueError("the interval of a share needs at least one observation, got n=0")
    share = correct / n
    scale = 1 + Z95**2 / n
    centre = (share + Z95**2 / (2 * n)) / scale
    half = Z95 / scale * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == n else centre + half
    return Interval(n=n, correct=correct, low=low, high=high)


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value of a paired test: Q. McNemar, Psychometrika 12 (1947), 153-157.

    Of the problems that only one of two students solves, is either as likely to be the better one's? Under
    that hypothesis `gained` is a draw from Binomial(gained + lost, 1/2). 1 where both solve the same ones.
    """
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << n))


def is_harm(gained: int, lost: int) -> bool:
    """Whether what was lost outweighs what was gained by more than chance explains."""
    return lost > gained and mcnemar(gained, lost) <= HARM_LEVEL


def posterior(correct: int, n: int) -> Posterior:
    """Beta(correct + 1, n - correct + 1): the solve rate under a uniform prior (Bayes 1763; Laplace's rule).

    `n = 0` gives the prior itself. The interval is the equal-tailed 95 % credible interval.
    """
    _check(correct, n)

    def exceeded(rate: float) -> float:
        return _tail(correct + 1, n + 1, rate)

    return Posterior(
        mean=(correct + 1) / (n + 2),
        low=_root(exceeded, 0.025),
        high=_root(exceeded, 0.975),
    )


def band(correct: int, n: int) -> Band:
    """Easy from a posterior mean of 0.6, hard up to 0.4; one greedy sample gives 2/3 or 1/3, never mixed."""
    _check(correct, n)
    if 5 * (correct + 1) >= 3 * (n + 2):
        return Band.EASY
    if 5 * (correct + 1) <= 2 * (n + 2):
        return Band.HARD
    return Band.MIXED


def _check(correct: int, n: int) -> None:
    if not 0 <= correct <= n:
        raise ValueError(f"correct must lie between 0 and n, got correct={correct!r}, n={n!r}")


def _tail(least: int, n: int, rate: float) -> float:
    """P(X >= least) for X ~ Binomial(n, rate), which is the Beta(least, n - least + 1) CDF at `rate`.

    Source: NIST Digital Library of Mathematical Functions, 8.17.5.
    """
    logs = math.log(rate), math.log1p(-rate)
    top = math.lgamma(n + 1)
    return math.fsum(
        math.exp(top - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * logs[0] + (n - k) * logs[1])
        for k in range(least, n + 1)
    )


def _root(rising: Callable[[float], float], level: float) -> float:
    """Where a function that rises from 0 at 0 to 1 at 1 reaches `level`, by bisection to double precision."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2
