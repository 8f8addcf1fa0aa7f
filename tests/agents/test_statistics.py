"""Intervals, posteriors and bands against values from tables and other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fdd.agents.evaluator import is_harm
from fdd.agents.statistics import (
    clustered,
    clustered_mean,
    mcnemar,
    paired,
    posterior,
    sign_flip,
    t_quantile,
    t_tail,
    visible_loss,
    wilson,
)


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


@pytest.mark.parametrize(("correct", "n"), [(0, 3), (3, 3)])
def test_where_all_templates_are_alike_the_interval_counts_templates(correct: int, n: int) -> None:
    found, templates = clustered([(correct, n)] * 20), wilson(20 * correct // n, 20)
    assert (found.correct, found.n) == (20 * correct, 60)
    assert (found.low, found.high) == (templates.low, templates.high)


def test_no_right_answer_to_three_instances_of_twenty_templates_gives_at_most_16_percent() -> None:
    assert clustered([(0, 3)] * 20).high == pytest.approx(0.1611, abs=1e-4)


def test_with_few_templates_solved_each_template_counts_as_one_observation() -> None:
    found = clustered([(2, 2)] * 4 + [(0, 2)] * 16)
    assert (found.low, found.high) == (wilson(4, 20).low, wilson(4, 20).high)


@pytest.mark.parametrize(("templates", "low", "high"), [(20, 0.3, 0.7), (40, 0.35, 0.65)])
def test_templates_solved_whole_or_not_at_all_give_quantiles_of_the_binomial(
    templates: int, low: float, high: float
) -> None:
    # Half of them is solved, so a draw has Binomial(templates, 1/2) solved ones: P(X <= 5) = 0.021 and
    # P(X <= 6) = 0.058 of 20, P(X <= 13) = 0.019 and P(X <= 14) = 0.040 of 40.
    found = clustered([(3, 3), (0, 3)] * (templates // 2))
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize("correct", [8, 20, 100, 180, 192])
def test_with_one_instance_a_template_the_interval_is_about_that_over_instances(correct: int) -> None:
    found, single = clustered([(1, 1)] * correct + [(0, 1)] * (200 - correct)), wilson(correct, 200)
    assert (found.low, found.high) == pytest.approx((single.low, single.high), abs=0.02)


def test_templates_that_are_all_half_solved_give_no_narrower_interval_than_instances() -> None:
    found = clustered([(1, 2)] * 30)
    assert (found.low, found.high) == (wilson(30, 60).low, wilson(30, 60).high)


def test_the_interval_over_templates_is_the_same_each_time() -> None:
    counts = [(n % 4, 3 + n % 2) for n in range(40)]
    assert clustered(counts) == clustered(counts)


def test_the_interval_over_templates_covers_what_that_over_instances_misses() -> None:
    chance = np.random.default_rng(5)
    rates = chance.beta(0.4, 0.6, size=(200, 65))  # of each template; instances of one correlate by 0.5
    covered = {"templates": 0, "instances": 0}
    for right in chance.binomial(3, rates):
        over = clustered([(int(each), 3) for each in right])
        single = wilson(over.correct, over.n)
        covered["templates"] += over.low <= 0.4 <= over.high
        covered["instances"] += single.low <= 0.4 <= single.high
    assert covered["templates"] >= 0.92 * 200
    assert covered["instances"] <= 0.88 * 200


@pytest.mark.parametrize(("gained", "lost"), [(0, 5), (12, 3), (7, 7), (0, 0), (58, 98)])
def test_with_one_problem_a_template_the_sign_flips_are_the_paired_test(gained: int, lost: int) -> None:
    assert sign_flip([1] * gained + [-1] * lost + [0] * 4) == pytest.approx(mcnemar(gained, lost))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([-6], 1),  # the only other sign is as extreme
        ([3, -1], 1),  # all of 4, 2, -2, -4
        ([2, 2, 1], 2 / 8),  # 5 and -5
        ([3, 1, 1, -1], 8 / 16),  # 6, three times 4, and the same with a minus
    ],
)
def test_sign_flips_count_the_choices_that_are_as_extreme(differences: list[int], p: float) -> None:
    assert sign_flip(differences) == p
    assert sign_flip([-each for each in differences]) == p


def undone(n: int, before: float, after: float) -> float:
    """P(harm), counted one outcome after the other."""
    both = min(after, before * after + 0.45 * math.sqrt(before * (1 - before) * after * (1 - after)))
    gains, losses = after - both, before - both
    return math.fsum(
        math.comb(n, gained)
        * math.comb(n - gained, lost)
        * gains**gained
        * losses**lost
        * (1 - gains - losses) ** (n - gained - lost)
        for gained in range(n + 1)
        for lost in range(n - gained + 1)
        if is_harm(gained, lost)
    )


@pytest.mark.parametrize(("n", "accuracy"), [(12, 0.9), (40, 0.4), (40, 1.0), (60, 0.25)])
def test_the_smallest_visible_loss_has_a_power_of_80_percent(n: int, accuracy: float) -> None:
    loss = visible_loss(n, accuracy)
    assert loss is not None
    assert undone(n, accuracy, accuracy - loss) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize(("n", "accuracy"), [(5, 1.0), (12, 0.4), (40, 0.1), (150, 0.0)])
def test_where_even_the_loss_of_everything_is_missed_no_loss_is_visible(n: int, accuracy: float) -> None:
    assert visible_loss(n, accuracy) is None
    assert undone(n, accuracy, 0) < 0.8


@pytest.mark.parametrize(
    ("level", "freedom", "value"),
    [(0.975, 2, 4.3027), (0.975, 11, 2.2010), (0.975, 30, 2.0423), (0.8, 11, 0.8755), (0.8, 1, 1.3764)],
)
def test_quantiles_of_t_are_those_of_the_tables(level: float, freedom: int, value: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(value, abs=5e-5)
    assert t_tail(value, freedom) == pytest.approx(2 * (1 - level), abs=2e-5)


def test_three_pairs_give_the_interval_of_student() -> None:
    found = paired([-3.75, -6.75, -1.75])
    assert (found.mean, found.deviation) == pytest.approx((-4.0833, 2.5166), abs=1e-4)
    assert (found.low, found.high) == pytest.approx((-10.335, 2.168), abs=1e-3)
    assert found.p == pytest.approx(0.1068, abs=1e-3)
    assert found.sign == 0.25


def test_twelve_pairs_see_about_four_points() -> None:
    """With a standard deviation of 4.3; 3.8 by simulation."""
    spread = [4.3 * math.sqrt(11 / 12) * sign for sign in (1, -1)] * 6
    assert paired(spread).visible == pytest.approx(3.8, abs=0.05)


def test_equal_differences_leave_no_doubt_and_one_pair_gives_no_interval() -> None:
    assert (paired([2.0, 2.0]).p, paired([0.0, 0.0]).p) == (0.0, 1.0)
    with pytest.raises(ValueError, match="two data points"):
        paired([2.0])


def test_the_difference_over_templates_varies_with_the_templates() -> None:
    low, high = clustered_mean([(4.0, 4)] * 10 + [(-4.0, 4)] * 10)
    assert low < -0.3 < 0.3 < high
    assert clustered_mean([(1.0, 4)] * 20) == (0.25, 0.25)
