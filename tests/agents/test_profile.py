"""Beliefs about skills against closed forms."""

from random import Random
from statistics import fmean, median

import pytest

from fdd.agents.profile import PRIOR_ANSWERS, Belief, Probed, prior_answers, profile, progress


def probed(skill: str, n: int, correct: int, *, round: int = 0, taught: int = 0) -> Probed:
    return Probed(round=round, skill=skill, n=n, correct=correct, taught=taught)


def test_the_prior_is_centred_on_the_overall_solve_rate() -> None:
    # 5 of 8 are right; Laplace's rule gives 6/10. The prior weighs four answers.
    found = profile([probed("a", 4, 4), probed("b", 4, 1)], 0)
    assert (found["a"].alpha, found["a"].beta) == pytest.approx((2.4 + 4, 1.6))
    assert (found["b"].alpha, found["b"].beta) == pytest.approx((2.4 + 1, 1.6 + 3))


@pytest.mark.parametrize(("weight", "n"), [(5, 4), (5, 20), (20, 8), (20, 3)])
def test_the_prior_weighs_as_much_as_the_spread_of_the_skills_says(weight: float, n: int) -> None:
    chance = Random(weight)
    found = []
    for _ in range(200):
        rates = [chance.betavariate(0.6 * weight, 0.4 * weight) for _ in range(65)]
        found.append(prior_answers([(sum(chance.random() < rate for _ in range(n)), n) for rate in rates]))
    assert weight / 1.6 < median(found) < 1.6 * weight


def test_the_prior_weighs_most_where_skills_do_not_differ_and_least_without_evidence() -> None:
    least, most = PRIOR_ANSWERS
    assert prior_answers([(3, 5)] * 40) == most
    assert prior_answers([(5, 5)] * 20 + [(0, 5)] * 20) == least
    assert prior_answers([(0, 1), (1, 1)]) == least  # one answer each: nothing is known of the skills
    assert prior_answers([(2, 2)] * 9) == prior_answers([(0, 2)]) == prior_answers([]) == least


def test_answers_of_the_round_before_count_half() -> None:
    [belief] = profile([probed("a", 4, 0), probed("a", 4, 4, round=1, taught=9)], 1).values()
    assert (belief.n, belief.correct, belief.taught) == (6.0, 4.0, 9)


def test_later_rounds_are_not_looked_at() -> None:
    assert profile([probed("a", 4, 0), probed("b", 4, 4, round=1)], 0).keys() == {"a"}


def test_a_skill_without_evidence_has_no_belief() -> None:
    assert profile([], 3) == {}


def test_probabilities_agree_with_a_uniform_and_a_triangular_distribution() -> None:
    flat = Belief(alpha=1, beta=1, correct=0, n=0, taught=0)
    rising = Belief(alpha=2, beta=1, correct=1, n=1, taught=0)
    assert flat.between(0.2, 0.8) == pytest.approx(0.6)
    assert rising.between(0.7, 1) == pytest.approx(1 - 0.7**2)


def test_progress_is_the_mean_gain_and_never_below_zero() -> None:
    now = profile([probed("up", 400, 300, round=1), probed("down", 400, 100, round=1)], 1)
    before = profile([probed("up", 400, 100), probed("down", 400, 300)], 0)
    draws = [progress(now, before, Random(seed)) for seed in range(50)]
    assert fmean(draw["up"] for draw in draws) == pytest.approx(0.5, abs=0.03)
    assert {draw["down"] for draw in draws} == {0.0}
