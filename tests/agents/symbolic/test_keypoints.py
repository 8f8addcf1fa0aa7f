"""Questions taken apart into what they ask and the facts that the solution uses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Given, Operation, Step
from fdd.agents.symbolic.numbers import find_quantities
from fdd.agents.symbolic.wording.keypoints import NOTHING_TOLD, KeyPoints, read_keypoints, with_name


def read(question: str, *used: int) -> KeyPoints:
    """The key points for a solution that adds up the numbers at these places, all by default."""
    quantities = find_quantities(question)
    total: Expression = Given(used[0] if used else 0)
    for place in used[1:] or range(1, len(quantities)):
        total = Operation("+", total, Given(place))
    return read_keypoints(Derivation(question, quantities, (Step(total, Fraction(0), "total", ""),)))


def test_the_sentence_that_asks_is_the_core_and_the_others_are_facts() -> None:
    assert read("Ann has 3 pens.  She buys 4 more.\nHow many pens does Ann have?") == KeyPoints(
        "How many pens does Ann have?", ("Ann has 3 pens.", "She buys 4 more.")
    )


@pytest.mark.parametrize(
    ("sentence", "core", "fact"),
    [
        ("If she buys 4 more, how many has she?", "How many has she?", "She buys 4 more."),
        ("If she buys 4 more then how many has she?", "How many has she?", "She buys 4 more."),
        ("If she buys 4 more how many has she?", "How many has she?", "She buys 4 more."),
        ("How many has she if she buys 4 more?", "How many has she?", "She buys 4 more."),
        ("Assuming that she buys 4 more, what is the sum?", "What is the sum?", "She buys 4 more."),
        ("She buys 4 more pens, how many has she?", "How many has she?", "She buys 4 more pens."),
        ("If she buys 4 more, calculate the sum.", "Calculate the sum.", "She buys 4 more."),
        (
            "If she buys 4 more, in how many days is it full?",
            "In how many days is it full?",
            "She buys 4 more.",
        ),
    ],
)
def test_a_condition_in_the_sentence_that_asks_is_a_fact(sentence: str, core: str, fact: str) -> None:
    assert read(f"There are 3 pens. {sentence}") == KeyPoints(core, ("There are 3 pens.", fact))


@pytest.mark.parametrize(
    "core",
    [
        "After 3 weeks, how many pens are there?",
        "How many pens would there be if he would buy 3?",
        "If it were 3 times as much, how much would it be?",
        "How many pens are left only if 3 are sold?",
    ],
)
def test_what_is_no_fact_by_itself_stays_in_the_core(core: str) -> None:
    assert read(f"There are 9 pens. {core}").core == core


def test_facts_that_the_solution_does_not_use_are_left_out() -> None:
    question = "A shop has 9 pens. It was built 50 years ago. It sells 3 pens. How many are left?"
    assert read(question, 0, 2).facts == ("A shop has 9 pens.", "It sells 3 pens.")


def test_a_relation_without_numbers_is_a_fact() -> None:
    question = "A shop has 9 pens. It has as many clips as pens. It is old. How many things has it?"
    assert read(question).facts == ("A shop has 9 pens.", "It has as many clips as pens.")


def test_a_part_in_words_is_used_where_the_solution_divides_by_its_number() -> None:
    question = "A shop has 9 pens. Half of them are red. It was built 50 years ago. How many pens are red?"
    half = Operation("/", Given(0), Constant(Fraction(2)))
    derivation = Derivation(question, find_quantities(question), (Step(half, Fraction("4.5"), "red", ""),))
    assert read_keypoints(derivation).facts == ("A shop has 9 pens.", "Half of them are red.")


def test_a_first_fact_that_refers_back_brings_the_sentence_before_it() -> None:
    question = "A pirate hides his gold. He has 30 coins in each of 5 chests. How many coins has he?"
    assert read(question).facts == ("A pirate hides his gold.", "He has 30 coins in each of 5 chests.")


def test_a_pronoun_that_can_mean_one_person_only_becomes_the_name() -> None:
    question = "Lena collects pens. She has 3 red and 4 blue ones. How many does she have?"
    assert read(question) == KeyPoints("How many does Lena have?", ("Lena has 3 red and 4 blue ones.",))


@pytest.mark.parametrize(
    "question",
    [
        "Lena has 3 pens, Emma 4. How many does she have?",
        "Lena has 3 pens, her sister 4. How many does she have?",
        "Lena has 3 pens, Jude 4. How many does she have?",
        "Lena has 3 pens, and he has 4. How many does she have?",
    ],
)
def test_a_pronoun_that_may_mean_somebody_else_stays(question: str) -> None:
    assert with_name("How many does she have?", question) == "How many does she have?"


@pytest.mark.parametrize(
    ("story", "facts"),
    [
        ("A pen costs $3. pencils cost $4.", ("A pen costs $3.", "Pencils cost $4.")),
        ("Mrs. Lee has 3 pens.\nBut Mr. Li has 4.", ("Mrs. Lee has 3 pens.", "Mr. Li has 4.")),
        ("Prof. Lee has 3 pens. So far he lent 4.", ("Prof. Lee has 3 pens.", "So far he lent 4.")),
        ("It weighs 3 oz. and costs $4. I have 5.", ("It weighs 3 oz. and costs $4.", "I have 5.")),
        ("It weighs 3 oz. I have 4.", ("It weighs 3 oz.", "I have 4.")),
        ("Class A has 3 pens, class B 4. 5 are red.", ("Class A has 3 pens, class B 4.", "5 are red.")),
    ],
)
def test_sentences_end_where_they_do(story: str, facts: tuple[str, ...]) -> None:
    assert read(f"{story} How many are there?").facts == facts


def test_a_question_that_is_nothing_but_the_asking_says_so() -> None:
    question = "How many 200 ml cups fill 3 bowls of 400 ml?"
    assert read(question) == KeyPoints(question, (NOTHING_TOLD,))


def test_a_question_without_its_mark_gets_one() -> None:
    assert read("Ann has 3 pens and 4 more. How many has she").core == "How many has she?"
