"""Which numbers of a question may change, and to what."""

from __future__ import annotations

import random

import pytest

from fdd.agents.symbolic.derivation import Form
from fdd.agents.symbolic.numbers import find_quantities
from fdd.agents.symbolic.varying.similar import similar
from fdd.agents.symbolic.varying.slots import MOST_NUMBERS, common_candidates, is_fixed, slots, units_of
from fdd.domain import Draft
from tests.agents.symbolic.parents import BEADS, BREAD, CHEAPER, problem, read


def options(text: str) -> list[str]:
    quantity = find_quantities(text)[0]
    return [str(option) for option in common_candidates(text, [quantity])]


@pytest.mark.parametrize(
    "text",
    [
        "born in 1984.",
        "at 5 p.m. he",
        "at 10:30 he",
        "Grade 4 pupils",
        "$20 bills",
        "a five-dollar bill",
        "4 legs each",
        "the 3rd day",
        "half the pens",
        "three colors of pens",
        "the 3 rooms",
        "6 items: pens, caps, and hats",
        "a 3 x 4 grid",
        "the first 3 boxes",
        "A kilogram is equal to 2.2 pounds",
        "2 friends, Ann and Bob, and then Tim with Eva",
    ],
)
def test_a_number_that_means_something_by_itself_is_fixed(text: str) -> None:
    assert is_fixed(text, find_quantities(text)[0])


@pytest.mark.parametrize(
    "text",
    ["2000 people", "5 boxes", "$20 for a hat", "12 pens", "25% of them", "80cm tall", "the first 3 days"],
)
def test_an_ordinary_number_is_not_fixed(text: str) -> None:
    assert not is_fixed(text, find_quantities(text)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17 pens", {"12", "26"}),
        ("35 pens", {"25", "50"}),
        ("120 pens", {"100", "190"}),
        ("$1,200 a month", {"1000", "1500"}),
        ("$2.50 each", {"3/2", "7/2"}),
        ("25% of them", {"10", "40"}),
        ("150% of it", {"105", "200"}),
        ("12% of it", {"8", "15"}),
        ("3/4 of them", {"2/3", "4/5"}),
        ("1/2 of them", {"1/3", "1/10"}),
        ("40 years old", {"38", "45"}),
    ],
)
def test_candidates_are_as_large_and_as_round_as_the_old_value(text: str, expected: set[str]) -> None:
    found = options(text)
    assert expected <= set(found)
    assert str(find_quantities(text)[0].value) not in found
    assert "0" not in found
    assert "1" not in found


def test_round_numbers_get_round_candidates() -> None:
    assert all(option.endswith("0") for option in options("300 pens"))
    assert all(option.endswith(("0", "5")) for option in options("45 pens"))


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("5 days a week", 7),
        ("6 days of the week", 7),
        ("25 days per month", 30),
        ("8 hours a day", 12),
        ("3 times as many", 9),
        ("9 months per year", 12),
    ],
)
def test_candidates_fit_into_the_week_the_day_or_the_year(text: str, most: int) -> None:
    assert max(int(option) for option in options(text)) <= most


def test_a_hundred_percent_cannot_change() -> None:
    assert options("100% of them") == []


def test_units_are_currencies_percent_or_nouns_without_their_plural() -> None:
    text = "He has $5, 20% of it, and 3 more red hats."
    found = [units_of(text, quantity) for quantity in find_quantities(text)]
    assert found == [{"$"}, {"%"}, {"red", "hat"}]


def test_slots_are_the_used_numbers_that_are_free_to_change() -> None:
    derivation = read(BEADS)
    assert [slot.members for slot in slots(derivation)] == [(0,)]


def test_a_number_that_no_step_uses_is_no_slot() -> None:
    parent = problem(
        "In 5 rooms stand 14 red and 23 blue vases. How many vases are there?",
        "There are 14+23 = <<14+23=37>>37 vases.",
        37,
    )
    assert [slot.members for slot in slots(read(parent))] == [(1,), (2,)]


def test_a_multiplier_that_no_step_uses_leaves_no_slots() -> None:
    parent = problem(
        "Of 30 pupils 10 are boys, and there are twice as many girls as boys. How many are girls?",
        "There are 30-10 = <<30-10=20>>20 girls.",
        20,
    )
    assert slots(read(parent)) == ()


def test_a_choice_whose_other_side_was_reckoned_out_of_sight_leaves_no_slots() -> None:
    """With other numbers the other order might be the cheaper one."""
    assert slots(read(CHEAPER)) == ()


def test_a_number_divided_by_itself_leaves_no_slots() -> None:
    parent = problem(
        "A team of 11 scores 10 hits, none of them by its best player. How many hits has each other player?",
        "That is 10/10 = <<10/10=1>>1 hit each.",
        1,
    )
    assert slots(read(parent)) == ()


@pytest.mark.parametrize(("shops", "varied"), [(5, True), (MOST_NUMBERS, False)])
def test_a_question_with_very_many_numbers_keeps_them(shops: int, varied: bool) -> None:
    """Looking for their relations could take minutes."""
    told = " ".join(f"A shop sells {10**6 * shop} pens." for shop in range(1, shops + 1))
    parent = problem(
        f"Ann buys 48 pens and Bob buys 37 pens. {told} They lose 23 pens. How many pens do they have?",
        "They buy 48+37 = <<48+37=85>>85 pens. They have 85-23 = <<85-23=62>>62 pens.",
        62,
    )
    assert bool(slots(read(parent))) is varied


def test_percentages_are_told_from_plain_numbers() -> None:
    forms = [quantity.form for quantity in read(BREAD).quantities]
    assert forms.count(Form.PERCENT) == 1


@pytest.mark.parametrize("fraction", ["3/8", "3 / 8"])
def test_a_fraction_whose_parts_a_step_may_use_keeps_its_value(fraction: str) -> None:
    parent = problem(
        f"Pia sold {fraction} of her stamps for $24. How much would all of them bring?",
        "One eighth brought 24/3 = $<<24/3=8>>8.\nAll of them bring 8*8 = $<<8*8=64>>64.",
        64,
    )
    derivation = read(parent)
    assert [derivation.quantities[i].value for slot in slots(derivation) for i in slot.members] in ([], [24])
    drafts = [similar(parent, derivation, random.Random(seed)) for seed in range(20)]
    for draft in drafts:
        if isinstance(draft, Draft):
            sold = find_quantities(draft.question)[-1].value
            assert draft.answer == sold / 3 * 8
