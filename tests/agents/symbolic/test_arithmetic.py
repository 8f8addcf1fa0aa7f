"""Equations found in prose."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.symbolic.reading.arithmetic import find_equations, value_of
from tests.growth import is_linear


def values(text: str) -> list[list[Fraction]]:
    return [[value_of(side.expression) for side in equation.segments] for equation in find_equations(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("She sold 48/2 = 24 clips", "24"),
        ("He earned 53 x €13 = €689 from it", "689"),
        ("So 220.0 meters / 2.0 meters per plant = 110 plants", "110"),
        ("7 days/week * 5 weeks/month = 35 days/month", "35"),
        ("8 miles in warm water: 8(37.0)=296.0 minutes", "296"),
        ("It is (4 red + 3 blue boxes) × 2 = 14", "14"),
        ("20% of 50 = 10", "10"),
        ("25 percent of 80 = 20", "20"),
        ("Twenty percent of 50 = 10", "10"),
        ("25 per cent of 80 = 20", "20"),
        ("a 25-percent share x 80 = 20", "20"),
        ("1/2 of 50 = 25", "25"),
        ("half of 50 = 25", "25"),
        ("$3420 * 40% = $1368", "1368"),
        ("it takes her 14÷1/2=28 minutes", "28"),
        ("8 x 1 1/2 = 12 rolls", "12"),
        ("The total was $585.80 + $2,000 = $2,585.80", "2585.8"),
        ("-3 + 5 = 2", "2"),
        ("10 – 2 − 1 = 7", "7"),
        ("5 - -(1 + 2) = 8", "8"),
        ("400/2*3 = 600", "600"),
        ("2 + 3 * 4 = 14", "14"),
    ],
)
def test_an_equation_is_read_with_its_units_skipped(text: str, value: str) -> None:
    assert values(text) == [[Fraction(value)] * 2]


def test_equal_sides_are_kept_in_a_chain() -> None:
    assert values("5 + 2(16) = 5 + 32 = 37") == [[Fraction(37)] * 3]


@pytest.mark.parametrize(
    "text",
    [
        "In 2x + 100 = 184 the unknown is x",
        "a 3-page letter",
        "72 km/hour",
        "(25%)",
        "1. Buy plants",
        "12 / 0 = 5",
        "5 +",
    ],
)
def test_what_only_looks_like_arithmetic_is_passed_over(text: str) -> None:
    assert [sides for sides in values(text) if len(sides) > 1 and sides[0] == sides[-1]] == []


def test_an_operation_without_a_result_is_found() -> None:
    assert values("they need 130 - 75 signatures.") == [[Fraction(55)]]


def test_a_percentage_is_a_share_or_a_count_of_percent() -> None:
    (divided,) = find_equations("100% - 25% = 75%")
    (kept,) = find_equations("100% - 25% = 75%", "keep")
    assert [value_of(side.expression) for side in divided.segments] == [Fraction(3, 4)] * 2
    assert [value_of(side.expression) for side in kept.segments] == [75, 75]
    assert kept.segments[-1].percent


def test_the_place_of_an_equation_covers_its_text() -> None:
    text = "So she sold 48/2 = 24 clips."
    (equation,) = find_equations(text)
    assert text[equation.start : equation.end] == "48/2 = 24"


@given(st.text(alphabet="0123456789+-*/x=%()., $abofhl\n", max_size=60))
def test_any_text_can_be_searched(text: str) -> None:
    for equation in find_equations(text):
        assert 0 <= equation.start < equation.end <= len(text)


@pytest.mark.parametrize(
    ("piece", "count"),
    [
        ("(", 9000),
        ("1-", 9000),
        ("2(", 9000),
        ("1=", 9000),
        ("1 a b c d e f ", 1500),
        ("\n", 150_000),
    ],
)
def test_hostile_text_takes_no_more_than_linear_time(piece: str, count: int) -> None:
    assert is_linear(lambda size: find_equations(piece * size), count)
