"""Intervals, posteriors and bands against values from tables and other programs."""

from __future__ import annotations

import math

import pytest

from agents.evaluator import band, is_harm, mcnemar, posterior, wilson
from domain import Band


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_published_intervals(correct: int, n: int, low: float, high: float) -> None:
    interval = wilson(correct, n)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)
    assert (interval.correct, interval.n) == (correct, n)


def test_wilson_bounds_solve_the_score_equation() -> None:
    interval = wilson(37, 200)
    for bound in (interval.low, interval.high):
        deviation = abs(0.185 - bound) / math.sqrt(bound * (1 - bound) / 200)
        assert deviation == pytest.approx(1.959964, abs=1e-5)


def test_wilson_of_all_right_mirrors_all_wrong() -> None:
    assert wilson(29, 29).low == pytest.approx(1 - wilson(0, 29).high)
    assert wilson(29, 29).high == 1.0


def test_wilson_narrows_with_more_observations() -> None:
    few, many = wilson(5, 10), wilson(500, 1000)
    assert many.high - many.low < few.high - few.low


def test_posterior_without_samples_is_the_uniform_prior() -> None:
    prior = posterior(0, 0)
    assert (prior.mean, prior.low, prior.high) == pytest.approx((0.5, 0.025, 0.975))


def test_posterior_of_one_sample_has_the_closed_form_of_a_triangle() -> None:
    right = posterior(1, 1)
    assert right.mean == pytest.approx(2 / 3)
    assert right.low == pytest.approx(math.sqrt(0.025))
    assert right.high == pytest.approx(math.sqrt(0.975))


def test_posterior_agrees_with_the_incomplete_beta_function() -> None:
    mpmath = pytest.importorskip("mpmath")
    for correct, n in ((3, 8), (0, 8), (8, 8), (150, 400)):
        found = posterior(correct, n)
        for quantile, level in ((found.low, 0.025), (found.high, 0.975)):
            cdf = mpmath.betainc(correct + 1, n - correct + 1, 0, quantile, regularized=True)
            assert float(cdf) == pytest.approx(level, abs=1e-9)


def test_posterior_of_many_samples_is_finite() -> None:
    found = posterior(9_000, 10_000)
    assert found.low < found.mean < found.high < 1


def test_one_greedy_sample_gives_easy_or_hard() -> None:
    assert (band(1, 1), band(0, 1)) == (Band.EASY, Band.HARD)


def test_band_borders_belong_to_easy_and_hard() -> None:
    assert band(2, 3) is Band.EASY  # posterior mean exactly 0.6
    assert band(1, 3) is Band.HARD  # exactly 0.4
    assert band(2, 4) is Band.MIXED
    assert band(0, 0) is Band.MIXED


@pytest.mark.parametrize(("correct", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(correct: int, n: int) -> None:
    for function in (wilson, posterior, band):
        with pytest.raises(ValueError, match="correct must lie between"):
            function(correct, n)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n=0"):
        wilson(0, 0)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        # scipy.stats.binomtest(gained, gained + lost).pvalue, version 1.17.1
        (0, 5, 0.0625),
        (0, 6, 0.03125),
        (12, 3, 0.03515625),
        (20, 9, 0.06142834573984146),
        (7, 7, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_paired_test_agrees_with_the_binomial_test(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p)
    assert mcnemar(lost, gained) == pytest.approx(p)


def test_only_a_loss_beyond_chance_is_harm() -> None:
    assert is_harm(0, 6)
    assert not is_harm(0, 5)
    assert not is_harm(6, 0)
    assert not is_harm(3, 8)
