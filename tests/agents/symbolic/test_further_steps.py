"""Further steps about an answer: their wording and their reckoning."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import pytest

from fdd.agents.symbolic.varying.further_steps import Extension, Setting, extend
from fdd.agents.symbolic.wording.asking import parse_asking


def extensions(question: str, answer: str, *, is_money: bool = False, seeds: int = 40) -> list[Extension]:
    asked = parse_asking(question, is_money=is_money)
    assert asked is not None
    taken = frozenset({Fraction(answer)})
    return [
        extension
        for seed in range(seeds)
        for extension in extend(Setting(asked, Fraction(answer), "$", taken, question, random.Random(seed)))
    ]


def askings(found: list[Extension]) -> str:
    return "\n".join(extension.asking for extension in found)


@pytest.mark.parametrize(
    ("question", "answer", "is_money"),
    [
        ("How many points did the team score?", "84", False),
        ("How many marbles does Ann have?", "60", False),
        ("How many pupils are in the hall?", "90", False),
        ("How much money did Ann earn?", "12.50", True),
        ("How much did Ann pay for the hats?", "45", True),
        ("How much water does the plant need?", "15", False),
        ("What is the perimeter of the garden?", "64", False),
    ],
)
def test_every_mark_is_right_and_the_last_value_is_the_answer(
    question: str, answer: str, is_money: bool
) -> None:
    found = extensions(question, answer, is_money=is_money)
    assert found
    for extension in found:
        marks = re.findall(r"<<([\d.]+)([-+*/])([\d./]+)=([\d.]+)>>", "".join(extension.lines))
        assert len(marks) == len(extension.lines)
        for left, sign, right, value in marks:
            other = Fraction(*(int(part) for part in right.split("/"))) if "/" in right else Fraction(right)
            one = Fraction(left)
            results = {"+": one + other, "-": one - other, "*": one * other, "/": one / other}
            assert results[sign] == Fraction(value)
        assert Fraction(marks[-1][3]) == extension.answer


def test_anything_counted_can_be_larger_smaller_or_short_of_a_round_number() -> None:
    text = askings(extensions("How many points did the team score?", "84"))
    assert re.search(
        r"if the number of points the team scored were (?:twice|\d times) as large, what would it be", text
    )
    assert re.search(r"if the number of points the team scored were \d+% larger, what would it be", text)
    assert re.search(r"by how many points does the number of points the team scored fall short of \d+0", text)


def test_an_amount_of_money_is_short_of_dollars() -> None:
    text = askings(extensions("How much money did Ann earn?", "12.50", is_money=True))
    assert re.search(r"by how many dollars does the amount of money Ann earned fall short of \$\d0", text)


def test_what_was_paid_can_be_covered_in_part_or_taken_off_by_a_coupon() -> None:
    text = askings(extensions("How much did Ann pay for the hats?", "45", is_money=True))
    assert re.search(
        r"if a friend covers \d+% of the amount Ann paid for the hats, how much is left to pay", text
    )
    assert re.search(
        r"if a coupon takes \d+% off the amount Ann paid for the hats, how much is left to pay", text
    )
    assert re.search(
        r"if the amount Ann paid for the hats is shared equally by \d people, how much does each", text
    )


def test_cents_are_written_with_two_places() -> None:
    lines = [
        line
        for extension in extensions("How much money did Ann earn?", "12.50", is_money=True)
        for line in extension.lines
    ]
    assert all("$12.50" in line or "$10" in line for line in lines)
    assert not any(re.search(r"\$\d+\.\d(?!\d)", line) for line in lines)


def test_what_is_eaten_is_not_given_away() -> None:
    text = askings(extensions("Ben bakes pies. How many pies did Ben eat?", "12"))
    assert "given away" not in text
    assert "sorted" not in text


def test_a_newcomer_is_not_meant_by_the_pronoun() -> None:
    found = extensions("Ann has pens. How many pens does she have?", "40")
    names = re.findall(r"^if (\w+) has", askings(found), re.MULTILINE)
    assert len(set(names)) > 3
    assert not {"Emma", "Sarah", "Olivia", "Maria"} & set(names)


def test_the_year_of_something_is_not_multiplied() -> None:
    assert extensions("What is the year the car was made?", "1985") == []


def test_an_answer_of_one_is_not_built_on() -> None:
    assert extensions("How many pens does Ann have?", "1") == []
