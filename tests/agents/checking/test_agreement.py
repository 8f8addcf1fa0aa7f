"""When independent solutions agree, and when they do not."""

from fractions import Fraction

import pytest

from fdd.agents.checking.agreement import Vote, agreed


def votes(*cast: tuple[str, int | None]) -> list[Vote]:
    return [Vote(thought, None if value is None else Fraction(value)) for thought, value in cast]


def test_all_for_one_value_in_two_formats_agree() -> None:
    assert agreed(votes(("pot", 7), ("cot", 7), ("pot", 7), ("cot", 7)), 1.0) == 7


def test_three_of_four_are_enough_for_three_quarters() -> None:
    assert agreed(votes(("pot", 7), ("cot", 7), ("pot", 8), ("cot", 7)), 0.75) == 7


@pytest.mark.parametrize("dissent", [8, None])
def test_two_of_four_are_not(dissent: int | None) -> None:
    assert agreed(votes(("pot", 7), ("cot", 7), ("pot", dissent), ("cot", 9)), 0.75) is None


def test_a_solution_without_a_value_is_a_vote_against() -> None:
    assert agreed(votes(("pot", 7), ("cot", 7), ("pot", None)), 0.75) is None


def test_one_format_alone_never_agrees() -> None:
    assert agreed(votes(("pot", 7), ("pot", 7), ("pot", 7), ("cot", None)), 0.75) is None


def test_values_are_compared_exactly() -> None:
    near = [Vote("pot", Fraction(1, 3)), Vote("cot", Fraction("0.3333333333333333"))]
    assert agreed(near, 0.75) is None


def test_a_share_that_is_a_whole_number_of_votes_is_not_rounded_up() -> None:
    assert agreed(votes(("pot", 7), ("cot", 7), ("pot", 7), ("cot", 8), ("cot", 8)), 0.6) == 7
