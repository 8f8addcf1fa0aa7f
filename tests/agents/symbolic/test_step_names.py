"""Names for steps, taken from the words around their values."""

from __future__ import annotations

import builtins
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.symbolic.reading.step_names import MAX_LENGTH, StepNamer


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("Natalia sold ", "24 clips in May.", "clips_in_may"),
        ("So the total cost is ", "$15", "total_cost"),
        ("So his profit was ", "$12,000.", "profit"),
        ("The books cost Rs. 20 each, so he pays Rs. ", "60", "pays"),
        ("The discount is ", "$3 per ticket", "discount_per_ticket"),
        ("He needs ", "5 more", "more"),
        ("In total, Juan saw ", "101 wheels", "total_wheels"),
        ("He has ", "4 books for Rs. 5 each", "books"),
        ("She has ", "4 of them", "value"),
        ("", "", "value"),
        ("That is ", "3 lists", "lists"),
        ("So the sum is ", "3", "sum_2"),
    ],
)
def test_a_name_says_what_the_value_is(before: str, after: str, name: str) -> None:
    assert StepNamer().name(before, after) == name


def test_a_taken_name_is_told_apart_by_whom_it_is_about() -> None:
    namer = StepNamer()
    names = [namer.name(f"{who} ate ", "3 apples.") for who in ("Ann", "Bob", "Cem")]
    assert names == ["apples", "bob_apples", "cem_apples"]


def test_a_number_is_the_last_resort() -> None:
    namer = StepNamer()
    assert [namer.name("", "3 apples") for _ in range(3)] == ["apples", "apples_2", "apples_3"]


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=5))
def test_names_are_always_usable_in_a_program(texts: list[tuple[str, str]]) -> None:
    namer = StepNamer()
    names = [namer.name(before, after) for before, after in texts]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.isidentifier() and name.isascii() and len(name) <= MAX_LENGTH
        assert not keyword.iskeyword(name) and not hasattr(builtins, name) and name != "answer"
