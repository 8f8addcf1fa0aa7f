"""Worked solutions told again with other numbers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fdd.agents.symbolic.computation import Computation, Number
from fdd.agents.symbolic.wording.rewriting import Rewritten, with_article
from fdd.domain import Problem
from tests.agents.symbolic.parents import BREAD, TANK, problem, read


def renew(parent: Problem, changes: Mapping[int, Number]) -> Rewritten:
    derivation = read(parent)
    computation = Computation(derivation)
    givens = [changes.get(place, value) for place, value in enumerate(computation.old[: computation.givens])]
    table = computation.table(givens)
    assert table is not None
    return Rewritten(derivation, computation, table)


def tell(question: str, solution: str, answer: int, changes: Mapping[int, Number]) -> str:
    return renew(problem(question, solution, answer), changes).solution()


def test_question_and_solution_get_the_new_numbers() -> None:
    rewritten = renew(TANK, {0: 300, 1: 10, 2: 5})
    assert rewritten.question() == TANK.question.replace("240", "300").replace("12", "10").replace("8", "5")
    assert rewritten.solution() == (
        "Both pumps bring 10+5 = <<10+5=15>>15 liters a minute.\nIt takes 300/15 = <<300/15=20>>20 minutes."
    )
    assert rewritten.answer == 20


def test_without_changes_the_solution_stays_as_it_was() -> None:
    assert renew(TANK, {}).solution() == TANK.solution


def test_a_percentage_changes_where_it_is_written_as_a_decimal() -> None:
    line = renew(BREAD, {4: 25}).solution().split("\n")[3]
    assert line == "He pays 160*0.25 = $<<160*(25/100)=40>>40 for flour."


def test_number_words_and_separators_are_kept() -> None:
    told = tell(
        "Three towns have 1,200 people each. How many people live there?",
        "The three towns have 3*1,200 = <<3*1200=3600>>3,600 people.",
        3600,
        {0: 5, 1: 1400},
    )
    assert told == "The five towns have 5*1,400 = <<5*1400=7000>>7,000 people."


def test_a_fraction_of_the_question_stays_one_number() -> None:
    told = tell(
        "2/5 of 40 nuts are eaten. How many nuts is that?",
        "That is 2/5 * 40 = <<2/5*40=16>>16 nuts.",
        16,
        {1: 30},
    )
    assert told == "That is 2/5 * 30 = <<0.4*30=12>>12 nuts."


@pytest.mark.parametrize(
    "solution",
    [
        "On page 77 it says 20+15 = <<20+15=35>>35 nuts.",
        "On days 19,20 he has 20+15 = <<20+15=35>>35 nuts.",
    ],
    ids=["an unexplained number", "a list"],
)
def test_a_sentence_that_cannot_be_reused_gives_way_to_the_bare_reckoning(solution: str) -> None:
    told = tell("Tim has 20 nuts and Ann has 15 nuts. How many nuts is that?", solution, 35, {0: 30})
    assert told.endswith(": 30 + 15 = <<30+15=45>>45")


def test_a_letter_can_stand_for_a_number() -> None:
    question = renew(TANK, {}).question({0: "x"})
    assert question is not None
    assert question.startswith("A tank holds x liters.")


@pytest.mark.parametrize(
    ("before", "number", "expected"),
    [
        ("It is a ", "8", "It is an "),
        ("It is an ", "9", "It is a "),
        ("An ", "twelve", "A "),
        ("He pays an $", "95", "He pays a $"),
        ("a ", "18", "an "),
        ("a ", "180", "a "),
        ("the ", "8", "the "),
    ],
)
def test_the_article_fits_the_number(before: str, number: str, expected: str) -> None:
    assert with_article(before, number) == expected
