"""New problems with more steps than the parent."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.harder import harder
from fdd.domain import Draft, Problem, Reason, Refusal
from tests.agents.symbolic.parents import (
    AGES,
    BEADS,
    BREAD,
    BUSES,
    HIKE,
    PARENTS,
    PUPILS,
    TANK,
    problem,
    read,
)

SEEDS = range(30)


def extend(parent: Problem, seed: int, others: tuple[Problem, ...] = ()) -> Draft:
    draft = harder(parent, read(parent), others, random.Random(seed))
    assert isinstance(draft, Draft), draft
    return draft


@pytest.mark.parametrize("parent", PARENTS, ids=lambda parent: parent.question[:20])
def test_every_draft_has_more_steps_and_one_question(parent: Problem) -> None:
    steps = len(read(parent).steps)
    for seed in SEEDS:
        draft = extend(parent, seed, PARENTS)
        back = derive(draft.question, draft.solution, draft.answer)
        assert isinstance(back, Derivation)
        assert len(back.steps) > steps
        assert draft.question.count("?") == 1
        assert draft.question.endswith("?")
        assert "  " not in draft.question.strip()


def test_the_same_seed_writes_the_same_draft() -> None:
    assert extend(BREAD, 5, PARENTS) == extend(BREAD, 5, PARENTS)


def test_things_are_sorted_priced_given_away_or_compared() -> None:
    questions = " ".join(extend(BEADS, seed).question for seed in SEEDS)
    assert re.search(
        r"If the beads \w+ strung are sorted evenly into \d+ (?:group|pile|basket)s, how many", questions
    )
    assert re.search(
        r"Each of these beads costs \$\d\. What is the total cost of the beads \w+ strung\?", questions
    )
    assert re.search(
        r"If \d+% of the beads \w+ strung are given away, how many of the beads remain\?", questions
    )


def test_people_are_split_into_teams_or_given_something() -> None:
    questions = " ".join(extend(BUSES, seed).question for seed in SEEDS)
    assert re.search(r"guests who come to the fair are split up evenly into \d+ teams", questions)
    assert re.search(
        r"If each of the guests who come to the fair gets \d [a-z ]+, how many [a-z ]+ are needed\?",
        questions,
    )
    assert re.search(
        r"% of the guests who come to the fair (?:wear glasses|are left-handed|play chess), how", questions
    )


def test_money_is_shared_or_put_aside() -> None:
    questions = " ".join(extend(BREAD, seed).question for seed in SEEDS)
    assert re.search(r"amount of money the baker has left is shared equally by \d people", questions)
    assert re.search(
        r"If \d+% of the amount of money the baker has left is \w+ \w+ \w+, how much money", questions
    )


def test_a_measure_is_asked_for_in_a_smaller_unit() -> None:
    draft = extend(TANK, 0)
    assert "How many seconds does it take both pumps to fill the tank?" in draft.question
    assert draft.solution.split("\n")[-1].startswith("In seconds that is ")
    assert draft.answer % 60 == 0


def test_an_opening_condition_is_kept_before_the_new_question() -> None:
    questions = {extend(HIKE, seed, PARENTS).question for seed in SEEDS}
    assert all("hikes like this for " in question for question in questions)
    assert any(re.search(r"If he hikes like this for \w+ weekends, how many meters", q) for q in questions)


def test_an_age_is_asked_for_some_years_later() -> None:
    draft = extend(AGES, 0)
    assert re.search(r"How old will her uncle be in \d+ years\?$", draft.question)


def test_a_rate_is_asked_for_over_more_time() -> None:
    parent = problem(
        "Ben makes 15 chairs a day and sells each for $40. How much money does Ben make per day?",
        "He makes 15*40 = $<<15*40=600>>600.",
        600,
    )
    draft = extend(parent, 0)
    assert re.search(r"How much money does \w+ make in \d days\?$", draft.question)


@pytest.mark.parametrize(
    ("question", "solution", "words"),
    [
        (
            "Tom must finish a 100-page book in 5 days. How many pages must he read each day?",
            "He must read 100/5 = <<100/5=20>>20 pages.",
            "read in",
        ),
        (
            "Tom earns £50. He spends £12 on a book and £8 on lunch. How many pounds does he have left?",
            "He spends 12+8 = <<12+8=20>>20. He has 50-20 = <<50-20=30>>30 left.",
            "ounces",
        ),
    ],
)
def test_a_rate_that_is_needed_and_pounds_of_money_stay_what_they_are(
    question: str, solution: str, words: str
) -> None:
    parent = problem(question, solution, solution.rpartition(">>")[2].split()[0])
    for seed in SEEDS:
        draft = harder(parent, read(parent), (), random.Random(seed))
        assert not isinstance(draft, Draft) or words not in draft.question


def test_no_chain_leads_to_a_problem_whose_answer_was_met_on_the_way() -> None:
    """As a parent it is refused, and so it is as a partner."""
    going_on = replace(TANK, solution=f"{TANK.solution}\nThat is 60-12 = <<60-12=48>>48 minutes early.")

    def is_chained(partner: Problem) -> bool:
        return any("Let x be" in extend(BUSES, seed, (partner,)).question for seed in SEEDS)

    assert is_chained(TANK)
    assert not is_chained(going_on)


def test_another_person_has_more_or_fewer() -> None:
    parent = problem(
        "Mia picks 24 shells and finds 16 more in her bag. How many shells does she have?",
        "She has 24+16 = <<24+16=40>>40 shells.",
        40,
    )
    questions = [extend(parent, seed).question for seed in SEEDS]
    compared = [
        re.search(r"If (\w+) has (?:\d+|twice).*shells she has, how many", question) for question in questions
    ]
    assert any(compared)


def test_a_chain_lets_a_letter_stand_for_the_first_answer() -> None:
    drafts = [extend(BUSES, seed, (BREAD, BEADS, PUPILS)) for seed in range(60)]
    chained = [
        draft for draft in drafts if "Let x be the number of guests who come to the fair." in draft.question
    ]
    assert chained
    for draft in chained:
        value = re.search(r"^So x = (\d+)\.$", draft.solution, re.MULTILINE)
        assert value is not None
        assert re.search(r"\bx\b", draft.question.partition("come to the fair.")[2])


def test_a_problem_is_not_chained_with_itself() -> None:
    drafts = [extend(BEADS, seed, (BEADS,)) for seed in SEEDS]
    assert not any("Let x be" in draft.question for draft in drafts)


@pytest.mark.parametrize(
    ("question", "solution"),
    [
        (
            "Tom has 30 nuts and eats 6 of them. Which number of nuts does Tom keep?",
            "He keeps 30-6 = <<30-6=24>>24 nuts.",
        ),
        (
            "Tom has 30 nuts and eats 6 of them. Does he like them? How many nuts does Tom keep?",
            "He keeps 30-6 = <<30-6=24>>24 nuts.",
        ),
    ],
)
def test_refuses_an_unfamiliar_way_of_asking(question: str, solution: str) -> None:
    parent = problem(question, solution, 24)
    refusal = harder(parent, read(parent), (), random.Random(0))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_VARIATION
