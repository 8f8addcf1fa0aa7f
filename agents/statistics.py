"""Statistics of counts of right answers: intervals, paired tests and their power, posteriors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev

import numpy as np
from mpmath import betainc
from numpy.typing import NDArray

from fdd.domain import Interval

Z95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


HARM_LEVEL = 0.05
"""Largest p-value at which a worse student counts as harmed."""
POWER = 0.8
"""Probability with which a loss must be found to count as visible."""
AGREEMENT = 0.45
"""Correlation of the answers of two students trained on similar data: 0.44, 0.46 and 0.50 in the three pairs
of docs/LOG.md, "As many problems without feedback teach more"."""

DRAWS = 4_000
"""Bootstrap draws."""
FEWEST_CLUSTERS = 5
"""Fewest clusters with right answers, and with wrong ones, for a bootstrap; chosen by simulated coverage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """Posterior distribution of a solve rate after some samples."""

    mean: float
    low: float
    """2.5 % quantile."""
    high: float
    """97.5 % quantile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """Differences of paired runs, with the 95 % interval of their mean; `p` is two-sided."""

    n: int
    mean: float
    deviation: float
    """Standard deviation of the differences."""
    low: float
    high: float
    p: float
    visible: float
    """Smallest true difference that so many pairs with this deviation show with a power of 80 %: the sum of
    the 0.975 and 0.8 quantiles of t, in standard errors."""
    sign: float
    """p-value of the sign test."""


def wilson(correct: int, n: int) -> Interval:
    """The 95 % score interval of a share: E. B. Wilson, JASA 22 (1927), 209-212.

    Unlike the normal approximation it stays inside 0..1, and its width is not zero when all or none are
    right. `n` must be positive.
    """
    low, high = _score_interval(correct / n, n)
    return Interval(n=n, correct=correct, low=low, high=high)


def clustered(counts: Sequence[tuple[int, int]]) -> Interval:
    """The 95 % interval of a share over clusters: the range that other clusters might have given.

    `counts` has `(correct, n)` for each cluster, such as the instances of one template. The method is
    `clustered_mean`. If fewer than five clusters have a right answer, or fewer than five a wrong one, that is
    too narrow (with none, its width is zero). Then the result is Wilson's interval with each cluster as one
    observation. The interval always contains Wilson's interval over observations, since clusters vary at
    least as much as chance does.
    """
    correct, n = sum(right for right, _ in counts), sum(asked for _, asked in counts)
    with_right = sum(right > 0 for right, _ in counts)
    with_wrong = sum(right < asked for right, asked in counts)
    if min(with_right, with_wrong) < FEWEST_CLUSTERS:
        low, high = _score_interval(correct / n, len(counts))
    else:
        low, high = clustered_mean(counts)
    single = wilson(correct, n)
    return Interval(n=n, correct=correct, low=min(low, single.low), high=max(high, single.high))


def _score_interval(share: float, n: int) -> tuple[float, float]:
    scale = 1 + Z95**2 / n
    centre = (share + Z95**2 / (2 * n)) / scale
    half = Z95 / scale * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    # Exact at the ends, where the formula is off by a rounding error.
    return 0.0 if share == 0 else centre - half, 1.0 if share == 1 else centre + half


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value of a paired test: Q. McNemar, Psychometrika 12 (1947), 153-157.

    `gained` and `lost` count the problems that only the second or only the first student solves. If neither
    is better, `gained` is a draw from Binomial(gained + lost, 1/2). The value is 1 if both counts are 0.
    """
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << n))


def sign_flip(differences: Sequence[int]) -> float:
    """Two-sided exact p-value of a paired test over clusters: R. A. Fisher, The Design of Experiments (1935).

    Each difference is the number of problems in one cluster that the second student solves, minus that of the
    first. If neither is better, each difference is as likely to have the other sign. With one problem in each
    cluster this is `mcnemar`.
    """
    sizes = [abs(each) for each in differences if each]
    # The number of sign choices for each sum of the positive differences.
    ways = Counter({0: 1})
    for size in sizes:
        ways.update({total + size: number for total, number in ways.items()})
    least = abs(sum(differences))
    # If the positive differences sum to `total`, all differences sum to 2 * total - sum(sizes).
    extreme = sum(number for total, number in ways.items() if abs(2 * total - sum(sizes)) >= least)
    return extreme / (1 << len(sizes))


def paired(differences: Sequence[float]) -> Paired:
    """Tests whether the mean of paired differences is zero: Student's t (Biometrika 6 (1908), 1-25).

    Each difference is one seed's. The interval needs two differences at least, else `ValueError`. The result
    has the unit of the differences.
    """
    n = len(differences)
    mean, deviation = fmean(differences), stdev(differences)
    error = deviation / math.sqrt(n)
    half = t_quantile(0.975, n - 1) * error
    return Paired(
        n=n,
        mean=mean,
        deviation=deviation,
        low=mean - half,
        high=mean + half,
        p=t_tail(abs(mean) / error, n - 1) if error else float(mean == 0),
        visible=(t_quantile(0.975, n - 1) + t_quantile(POWER, n - 1)) * error,
        sign=mcnemar(sum(each > 0 for each in differences), sum(each < 0 for each in differences)),
    )


def t_tail(t: float, freedom: int) -> float:
    """P(|T| > t) for Student's t: NIST Digital Library of Mathematical Functions, 8.17."""
    return float(betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True))


def t_quantile(level: float, freedom: int) -> float:
    """The value that Student's t stays below with probability `level`, which must be over 1/2."""
    tail = 2 * (1 - level)
    share = _root(lambda x: float(betainc(freedom / 2, 0.5, 0, x, regularized=True)), tail)
    return math.sqrt(freedom * (1 - share) / share)


def clustered_mean(clusters: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The 95 % interval of a mean over clusters: a percentile bootstrap that draws whole clusters.

    `clusters` has the sum of the values in each cluster, and their number or weight, such as the differences
    of one template over problems and seeds. The method is that of C. A. Field and A. H. Welsh, JRSS B 69
    (2007), 369-390. The seed is fixed, so that the same counts give the same interval.
    """
    sums = np.array([total for total, _ in clusters], np.float64)
    sizes = np.array([n for _, n in clusters], np.float64)
    draws = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    low, high = np.percentile((draws @ sums) / (draws @ sizes), (2.5, 97.5))
    return float(low), float(high)


def visible_loss(n: int, accuracy: float) -> float | None:
    """The smallest loss of accuracy that `evaluator.is_harm` finds on n paired problems with a power of 80 %.

    `accuracy` is that of the previous student. The result is None if the power is lower even for a student
    that solves nothing any more. The answers of both students are assumed to have the correlation
    `AGREEMENT`; under that assumption the power is exact: S. W. Duffy, Biometrics 40 (1984), 1005-1015.
    """
    critical = [_critical(discordant) for discordant in range(n + 1)]

    def power(loss: float) -> float:
        after = accuracy - loss
        spread = math.sqrt(accuracy * (1 - accuracy) * after * (1 - after))
        # P(both are right) at the assumed correlation; it cannot exceed P(the later student is right).
        both = min(after, accuracy * after + AGREEMENT * spread)
        return _harm_power(critical, lost=accuracy - both, gained=after - both)

    if power(accuracy) < POWER:
        return None
    return _root(lambda share: power(share * accuracy), POWER, steps=20) * accuracy


def _critical(discordant: int) -> int:
    """The fewest losses among `discordant` problems that count as harm; `discordant + 1` if none do."""
    tails = np.cumsum(_binomial(discordant, 0.5))
    return discordant + 1 - int(np.searchsorted(tails, HARM_LEVEL / 2, side="right"))


def _harm_power(critical: Sequence[int], *, lost: float, gained: float) -> float:
    """P(harm) if each problem is lost or gained with these probabilities, independently of the others."""
    n = len(critical) - 1
    if lost + gained == 0:
        return 0.0
    weights = _binomial(n, lost + gained)
    return math.fsum(
        weights[discordant] * _binomial(discordant, lost / (lost + gained))[critical[discordant] :].sum()
        for discordant in np.flatnonzero(weights > 1e-9).tolist()
    )


def _binomial(n: int, rate: float) -> NDArray[np.float64]:
    """P(X = k) for k = 0 ... n, where X ~ Binomial(n, rate)."""
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    # Keeps both logarithms below finite.
    rate = min(max(rate, 1e-300), 1 - 1e-16)
    hits = np.arange(n + 1)
    chances = logs[n] - logs - logs[::-1] + hits * math.log(rate) + hits[::-1] * math.log1p(-rate)
    return np.asarray(np.exp(chances), np.float64)


def posterior(correct: int, n: int) -> Posterior:
    """Beta(correct + 1, n - correct + 1): the solve rate under a uniform prior (Bayes 1763; Laplace's rule).

    `n = 0` gives the prior itself. The interval is the equal-tailed 95 % credible interval.
    """
    below = partial(_tail, correct + 1, n + 1)  # P(solve rate < x)
    return Posterior(mean=(correct + 1) / (n + 2), low=_root(below, 0.025), high=_root(below, 0.975))


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


def _root(rising: Callable[[float], float], level: float, steps: int = 60) -> float:
    """Where a function that rises from 0 at 0 passes `level` before 1: bisection, to 2 ** -(steps + 1)."""
    low, high = 0.0, 1.0
    for _ in range(steps):
        middle = (low + high) / 2
        if rising(middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2
