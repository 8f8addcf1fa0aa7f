"""Numbers found in text and written back the way they stood."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.symbolic.derivation import Form
from fdd.agents.symbolic.numbers import find_quantities, number_word, write_like, write_plain

DECIMALS = st.builds(Fraction, st.integers(-(10**6), 10**6), st.sampled_from([1, 2, 4, 5, 10, 100, 1000]))


@pytest.mark.parametrize(
    ("text", "written", "value", "form"),
    [
        ("sold 48 clips", "48", "48", Form.DIGITS),
        ("costs $1,200.50 a month", "1,200.50", "1200.5", Form.DIGITS),
        ("for $.50 each", ".50", "0.5", Form.DIGITS),
        ("a 3-page letter", "3", "3", Form.DIGITS),
        ("25% of them", "25%", "25", Form.PERCENT),
        ("25 percent of them", "25 percent", "25", Form.PERCENT),
        ("Forty percent of them", "Forty percent", "40", Form.PERCENT),
        ("3/4 of the class", "3/4", "3/4", Form.FRACTION),
        ("1 1/2 cups", "1 1/2", "3/2", Form.FRACTION),
        ("Twenty-one dogs", "Twenty-one", "21", Form.WORD),
        ("two hundred ships", "two hundred", "200", Form.WORD),
        ("a hundred years", "a hundred", "100", Form.WORD),
        ("two thirds of it", "two thirds", "2/3", Form.WORD),
        ("one-fourth of it", "one-fourth", "1/4", Form.WORD),
        ("half as many", "half", "1/2", Form.WORD),
        ("a quarter of the pie", "a quarter", "1/4", Form.WORD),
        ("a dozen eggs", "dozen", "12", Form.WORD),
        ("twice a week", "twice", "2", Form.WORD),
        ("it tripled", "tripled", "3", Form.WORD),
    ],
)
def test_a_number_is_found_where_and_as_it_is_written(
    text: str, written: str, value: str, form: Form
) -> None:
    (quantity,) = find_quantities(text)
    assert text[quantity.start : quantity.end] == written
    assert (quantity.value, quantity.form) == (Fraction(value), form)


@pytest.mark.parametrize("text", ["on the third day", "no one came", "the often told tale", "12/0", "3 4/0"])
def test_ordinals_and_other_words_are_no_numbers(text: str) -> None:
    assert find_quantities(text) == ()


@pytest.mark.parametrize(
    ("value", "original", "form", "written"),
    [
        ("2345", "1,200", Form.DIGITS, "2,345"),
        ("12000", "12000", Form.DIGITS, "12000"),
        ("12000", "900", Form.DIGITS, "12,000"),
        ("2.5", "3.00", Form.DIGITS, "2.50"),
        ("2.125", "3.0", Form.DIGITS, "2.125"),
        ("30", "25%", Form.PERCENT, "30%"),
        ("30", "25 percent", Form.PERCENT, "30 percent"),
        ("2/3", "3/4", Form.FRACTION, "2/3"),
        ("21", "Two", Form.WORD, "Twenty-one"),
        ("7", "twenty", Form.WORD, "seven"),
    ],
)
def test_a_number_is_written_like_the_one_it_replaces(
    value: str, original: str, form: Form, written: str
) -> None:
    assert write_like(Fraction(value), original, form) == written


@pytest.mark.parametrize(
    ("value", "original", "form"),
    [
        ("1/3", "25", Form.DIGITS),
        ("-4", "25", Form.DIGITS),
        ("2", "3/4", Form.FRACTION),
        ("5/2", "1 1/2", Form.FRACTION),
        ("3", "twice", Form.WORD),
        ("1/3", "half", Form.WORD),
        ("100", "twenty", Form.WORD),
    ],
)
def test_what_cannot_be_written_the_same_way_is_refused(value: str, original: str, form: Form) -> None:
    assert write_like(Fraction(value), original, form) is None


@given(DECIMALS)
def test_plain_digits_are_exact(value: Fraction) -> None:
    assert Fraction(write_plain(value)) == value


def test_a_value_without_a_decimal_is_written_as_a_fraction() -> None:
    assert write_plain(Fraction(-7, 3)) == "-7/3"


@given(st.integers(0, 99))
def test_number_words_are_read_as_the_number_they_write(number: int) -> None:
    word = number_word(Fraction(number))
    assert word is not None
    (quantity,) = find_quantities(f"there are {word} of them")
    assert quantity.value == number


@pytest.mark.parametrize("value", [Fraction(100), Fraction(-1), Fraction(1, 2)])
def test_there_are_no_words_for_other_numbers(value: Fraction) -> None:
    assert number_word(value) is None
