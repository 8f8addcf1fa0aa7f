"""New problems with the parent's structure."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import pytest

from fdd.agents.symbolic.derivation import Derivation, evaluate
from fdd.agents.symbolic.numbers import find_quantities
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.similar import similar
from fdd.domain import Draft, Problem, Reason, Refusal
from fdd.matching import masked
from tests.agents.symbolic.parents import BEADS, BREAD, PARENTS, TANK, problem, read


def vary(parent: Problem, seed: int = 0) -> Draft:
    draft = similar(parent, read(parent), random.Random(seed))
    assert isinstance(draft, Draft), draft
    return draft


def refuse(parent: Problem, seed: int = 0) -> Refusal:
    refusal = similar(parent, read(parent), random.Random(seed))
    assert isinstance(refusal, Refusal), refusal
    return refusal


def numbers(text: str) -> list[Fraction]:
    return [quantity.value for quantity in find_quantities(text)]


@pytest.mark.parametrize("parent", PARENTS, ids=lambda parent: parent.question[:20])
def test_every_draft_has_a_solution_that_reaches_its_answer(parent: Problem) -> None:
    steps = len(read(parent).steps)
    for seed in range(20):
        draft = vary(parent, seed)
        back = derive(draft.question, draft.solution, draft.answer)
        assert isinstance(back, Derivation)
        assert len(back.steps) == steps
        assert draft.question != parent.question


@pytest.mark.parametrize("parent", PARENTS, ids=lambda parent: parent.question[:20])
def test_the_steps_of_the_parent_reach_the_answer_from_the_new_numbers(parent: Problem) -> None:
    derivation = read(parent)
    for seed in range(20):
        draft = vary(parent, seed)
        givens, results = numbers(draft.question), list[Fraction]()
        for step in derivation.steps:
            results.append(evaluate(step.expression, givens, results))
        assert results[-1] == draft.answer


@pytest.mark.parametrize("parent", PARENTS, ids=lambda parent: parent.question[:20])
def test_what_was_whole_and_positive_stays_so(parent: Problem) -> None:
    for seed in range(20):
        draft = vary(parent, seed)
        assert draft.answer > 1
        assert draft.answer.denominator == 1
        assert all(number > 0 for number in numbers(draft.question))


def test_the_same_seed_writes_the_same_draft() -> None:
    assert vary(BREAD, 7) == vary(BREAD, 7)


def test_other_seeds_write_other_drafts() -> None:
    assert len({vary(BREAD, seed).question for seed in range(20)}) > 8


def test_only_numbers_and_names_change() -> None:
    draft = vary(TANK, 3)
    assert masked(draft.question) == masked(TANK.question)


def test_the_solution_keeps_the_sentences_of_the_parent() -> None:
    draft = vary(BEADS, 1)
    one = numbers(draft.question)[0]
    first, second = draft.solution.split("\n")
    name = draft.question.split()[0]
    assert first == f"{name} strung {one}*3 = <<{one}*3={one * 3}>>{one * 3} blue beads."
    assert second.startswith("Altogether she strung ")


def test_money_keeps_its_cents_and_percentages_stay_below_a_hundred() -> None:
    for seed in range(20):
        question = vary(BREAD, seed).question
        assert re.search(r"rolls for \$\d\.\d\d each", question)
        percent = re.search(r"pays (\d+)% ", question)
        assert percent is not None
        assert 0 < int(percent[1]) < 100


def test_words_stay_words_with_their_capital_letter() -> None:
    parent = problem(
        "Fifteen boys and nine girls share 72 plums evenly. How many plums does each child get?",
        "There are 15+9 = <<15+9=24>>24 children.\nEach gets 72/24 = <<72/24=3>>3 plums.",
        3,
    )
    for seed in range(10):
        assert re.match(r"[A-Z][a-z-]+ boys and [a-z-]+ girls share \d+ plums", vary(parent, seed).question)


def test_twice_and_half_are_left_alone() -> None:
    parent = problem(
        "Ada picks 24 pears and half as many figs. How many fruits does Ada pick?",
        "She picks 24/2 = <<24/2=12>>12 figs.\nShe picks 24+12 = <<24+12=36>>36 fruits.",
        36,
    )
    assert all("half as many figs" in vary(parent, seed).question for seed in range(10))


def test_equal_numbers_stay_equal() -> None:
    parent = problem(
        "A box has 15 green pens and 15 red pens. Lena buys 4 boxes. How many pens does Lena buy?",
        "A box has 15+15 = <<15+15=30>>30 pens.\nLena buys 30*4 = <<30*4=120>>120 pens.",
        120,
    )
    for seed in range(10):
        green, red, _ = numbers(vary(parent, seed).question)
        assert green == red


def test_the_order_of_numbers_with_one_unit_is_kept() -> None:
    parent = problem(
        "A shop lowers the price of a lamp from $60 to $45. Tim buys 3 lamps. How much money does Tim save?",
        "He saves 60-45 = $<<60-45=15>>15 on a lamp.\nHe saves 15*3 = $<<15*3=45>>45.",
        45,
    )
    for seed in range(10):
        before, after, _ = numbers(vary(parent, seed).question)
        assert before > after


def test_a_number_that_the_solution_may_have_meant_otherwise_is_left_alone() -> None:
    parent = problem(
        "Hugo swims 7 laps every day of the week. A lap is 50 meters. How far does Hugo swim in a week?",
        "He swims 7*7 = <<7*7=49>>49 laps a week.\nThat is 49*50 = <<49*50=2450>>2450 meters.",
        2450,
    )
    for seed in range(10):
        question = vary(parent, seed).question
        assert "7 laps" in question
        assert "50 meters" not in question


@pytest.mark.parametrize(
    ("question", "solution", "answer"),
    [
        (
            "A dog has 4 legs. How many legs do 9 dogs have on a farm with 2 ponds and a 3 year old cat?",
            "They have 9*4 = <<9*4=36>>36 legs.",
            36,
        ),
        (
            "Grace was born in 1984. Her son was born in 2010. How old was Grace then?",
            "She was 2010-1984 = <<2010-1984=26>>26 years old.",
            26,
        ),
    ],
)
def test_legs_and_years_are_left_alone(question: str, solution: str, answer: int) -> None:
    parent = problem(question, solution, answer)
    draft = similar(parent, read(parent), random.Random(0))
    if isinstance(draft, Draft):
        assert "4 legs" in draft.question
    else:
        assert draft.reason is Reason.NO_VARIATION


def test_shares_that_leave_a_rest_go_on_leaving_one() -> None:
    parent = problem(
        "Of 200 trees, 30% are oaks and 45% are pines. The other trees are birches. How many is that?",
        "30+45 = <<30+45=75>>75% are oaks or pines.\nSo 100-75 = <<100-75=25>>25% are birches.\n"
        "That is 200*.25 = <<200*.25=50>>50 birches.",
        50,
    )
    for seed in range(10):
        _, oaks, pines = numbers(vary(parent, seed).question)
        assert oaks + pines < 100


def test_a_share_that_equals_the_rest_is_not_changed() -> None:
    parent = problem(
        "Of 80 trees, 25% are oaks, 50% are pines, and the others are birches. How many birches are there?",
        "There are 80*.25 = <<80*.25=20>>20 birches.",
        20,
    )
    for seed in range(10):
        assert "25% are oaks, 50% are pines" in vary(parent, seed).question


def test_refuses_where_a_number_was_reckoned_in_the_head() -> None:
    parent = problem(
        "Paul folds a sheet 4 times and cuts it along the folds. He sells each piece for 5 dollars. "
        "How much money does Paul take?",
        "There are 16 pieces. He takes 16*5 = <<16*5=80>>80 dollars.",
        80,
    )
    assert refuse(parent).reason is Reason.NO_VARIATION


def test_refuses_where_chance_depends_on_what_is_on_a_die() -> None:
    parent = problem(
        "Ivo rolls a die with 6 sides 36 times. How often should he expect a 6?",
        "He should expect it 36/6 = <<36/6=6>>6 times.",
        6,
    )
    assert refuse(parent).detail == "no number of the question may change"


def test_refuses_where_no_other_numbers_make_sense() -> None:
    parent = problem(
        "Ida has a book with 91 pages. She reads 7 pages a day for 13 days. How many pages has Ida read?",
        "She has read 7*13 = <<7*13=91>>91 pages.",
        91,
    )
    assert refuse(parent).detail == "no other numbers make sense"
