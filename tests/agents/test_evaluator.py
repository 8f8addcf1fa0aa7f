"""Every policy over every course that the answers to one question can take."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest

from fdd.agents.evaluator import (
    Ask,
    Fallback,
    Majority,
    Policy,
    Values,
    band,
    blind_spot,
    fewest_to_decide,
    is_decided,
    is_harm,
    most_given,
    samples_of,
)
from fdd.domain import Band

POT, EOT, COT = Ask("pot"), Ask("eot"), Ask("cot")
THOUGHTS = (POT, EOT, COT)
OUTCOMES = (None, Fraction(0), Fraction(1), Fraction(2))
"""Enough values that any two answers can agree or differ; 0, because it must not pass for none."""
ENDINGS = (*OUTCOMES, Fraction(3))
"""What further answers may come to: also a value that nobody gave before."""


def courses(length: int) -> list[tuple[Fraction | None, ...]]:
    return list(product(OUTCOMES, repeat=length))


def follow(policy: Policy, outcomes: Sequence[Fraction | None]) -> Values:
    """What is known in the end when the policy's asks, in their order, come to these outcomes."""
    script = dict(zip(policy.asks, outcomes, strict=True))
    known: dict[Ask, Fraction | None] = {}
    while stage := policy.next(known):
        assert not known.keys() & set(stage)
        known |= {ask: script[ask] for ask in stage}
    return known


@pytest.mark.parametrize("outcomes", courses(3))
def test_fallback_asks_up_to_the_first_value_and_takes_it(outcomes: tuple[Fraction | None, ...]) -> None:
    policy = Fallback(THOUGHTS)
    known = follow(policy, outcomes)
    first = next((i for i, value in enumerate(outcomes) if value is not None), None)
    assert list(known) == list(THOUGHTS if first is None else THOUGHTS[: first + 1])
    assert policy.choose(known) == (None if first is None else outcomes[first])


def test_fallback_asks_one_thought_at_a_time() -> None:
    policy = Fallback(THOUGHTS)
    assert policy.next({}) == (POT,)
    assert policy.next({POT: None}) == (EOT,)
    assert policy.next({POT: None, EOT: Fraction(0)}) == ()


@pytest.mark.parametrize(
    ("given", "sure"),
    [((), False), ((1, 1), False), ((1, 1, 1), True), ((1, 1, None, 2, 2), False), ((1, 2, 1, 1), True)],
)
def test_a_majority_is_sure_if_more_than_half_of_all_answers_agree(
    given: tuple[int | None, ...], sure: bool
) -> None:
    asks = samples_of("pot", 5)
    values = {
        ask: None if value is None else Fraction(value) for ask, value in zip(asks, given, strict=False)
    }
    assert Majority(asks, early=True).is_sure(values) == sure


def test_a_majority_asks_everything_at_once() -> None:
    assert Majority(THOUGHTS).next({}) == THOUGHTS


@pytest.mark.parametrize("outcomes", courses(3))
def test_a_majority_of_three_goes_to_two_that_agree_else_to_the_earliest_value(
    outcomes: tuple[Fraction | None, ...],
) -> None:
    policy = Majority(THOUGHTS)
    given = [value for value in outcomes if value is not None]
    pairs = [value for value in given if given.count(value) > 1]
    expected = next(iter([*pairs, *given]), None)
    assert policy.choose(follow(policy, outcomes)) == expected


def test_a_tie_between_pairs_goes_to_the_pair_with_the_earlier_thought() -> None:
    assert most_given([Fraction(5), Fraction(6), Fraction(6), Fraction(5)]) == 5


def test_the_order_of_thoughts_decides_a_tie_and_not_the_order_of_the_answers() -> None:
    assert Majority(THOUGHTS).choose({COT: Fraction(1), POT: Fraction(2)}) == 2


def test_values_are_compared_exactly() -> None:
    third, nearly = Fraction(1, 3), Fraction(333333333, 1000000000)
    assert most_given([nearly, third, third]) == third


@pytest.mark.parametrize("limit", range(1, 7))
def test_stopping_early_never_changes_the_outcome_of_a_vote(limit: int) -> None:
    asks = samples_of("pot", limit)
    for outcomes in courses(limit):
        early = Majority(asks, early=True)
        assert early.choose(follow(early, outcomes)) == most_given(outcomes)


@pytest.mark.parametrize("limit", range(1, 7))
def test_stages_ask_no_more_than_asking_one_by_one(limit: int) -> None:
    policy = Majority(samples_of("pot", limit), early=True)
    for outcomes in courses(limit):
        needed = next(n for n in range(limit + 1) if is_decided(outcomes[:n], limit - n))
        assert len(follow(policy, outcomes)) == needed


@pytest.mark.parametrize("limit", range(1, 6))
def test_a_vote_is_decided_exactly_when_every_ending_gives_the_same(limit: int) -> None:
    for asked in range(limit + 1):
        for begun in courses(asked):
            endings = (most_given([*begun, *rest]) for rest in product(ENDINGS, repeat=limit - asked))
            assert is_decided(begun, limit - asked) == (len(set(endings)) == 1)


def test_three_of_five_that_agree_spare_the_other_two() -> None:
    policy = Majority(samples_of("pot", 5), early=True)
    assert len(policy.next({})) == 3
    assert policy.next(dict.fromkeys(samples_of("pot", 3), Fraction(7))) == ()


def test_after_a_split_only_as_many_are_asked_as_the_leader_needs() -> None:
    assert fewest_to_decide([Fraction(1), Fraction(2), Fraction(1)], left=2) == 1
    assert fewest_to_decide([None, None, None], left=2) == 1


def test_answers_without_a_value_have_no_vote() -> None:
    assert most_given([None, None, Fraction(4)]) == 4
    assert most_given([None, None]) is None


def test_one_greedy_sample_gives_easy_or_hard() -> None:
    assert (band(1, 1), band(0, 1)) == (Band.EASY, Band.HARD)


def test_band_borders_belong_to_easy_and_hard() -> None:
    assert band(2, 3) is Band.EASY  # posterior mean exactly 0.6
    assert band(1, 3) is Band.HARD  # exactly 0.4
    assert band(2, 4) is Band.MIXED
    assert band(0, 0) is Band.MIXED


def test_only_a_loss_beyond_chance_is_harm() -> None:
    assert is_harm(0, 6)
    assert not is_harm(0, 5)
    assert not is_harm(6, 0)
    assert not is_harm(3, 8)


def test_a_dev_set_that_sees_the_loss_of_half_of_the_right_answers_is_not_warned_of() -> None:
    assert blind_spot(150, 60) == ""
    assert blind_spot(12, 5).startswith("The dev set of 12 cannot see any loss with a power of 80 %")
    assert blind_spot(40, 16).startswith("The dev set of 40 can only see a loss of 23 points or more")
    assert blind_spot(150, 0).startswith("The dev set of 150 cannot see any loss")
