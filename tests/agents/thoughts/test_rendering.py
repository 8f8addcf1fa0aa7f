"""Rationales in every thought, from one derivation and from many."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest

from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Operation, Result, Step
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.wording.infix import with_names, with_values
from fdd.agents.thoughts import known, thought
from fdd.domain import Reason
from fdd.problems.gsm_symbolic import GsmSymbolic

QUESTION = "A shop sold 48 kites in May and half as many in June. 25% of them were red. How many were not?"
SOLUTION = (
    "It sold 48/2 = <<48/2=24>>24 kites in June.\n"
    "That is 48+24 = <<48+24=72>>72 kites in both months.\n"
    "Of these .25 x 72 = <<.25*72=18>>18 kites were red.\n"
    "So 72-18 = <<72-18=54>>54 kites were not red."
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def kites() -> Derivation:
    return read(QUESTION, SOLUTION, "54")


def read(question: str, solution: str, answer: str) -> Derivation:
    derivation = derive(question, solution, Fraction(answer), repair=True)
    assert isinstance(derivation, Derivation), derivation
    return derivation


def test_a_program_is_one_assignment_a_step(kites: Derivation) -> None:
    assert thought("pot").render(kites).splitlines() == [
        "kites_in_june = 48 / 2",
        "kites_in_months = 48 + kites_in_june",
        "kites_red = 25 * kites_in_months / 100",
        "answer = kites_in_months - kites_red",
    ]


def test_a_chain_of_thought_writes_its_arithmetic_in_sentences(kites: Derivation) -> None:
    assert thought("cot").render(kites).splitlines() == [
        "It sold 48 / 2 = 24 kites in June.",
        "That is 48 + 24 = 72 kites in both months.",
        "Of these .25 * 72 = 18 kites were red.",
        "So 72 - 18 = 54 kites were not red.",
        "The answer is 54.",
    ]


def test_equations_multiply_what_the_steps_divide(kites: Derivation) -> None:
    assert thought("eot").render(kites).splitlines() == [
        "kites_in_june * 2 = 48",
        "kites_in_months = 48 + kites_in_june",
        "kites_red = 25 * kites_in_months / 100",
        "kites_not_red = kites_in_months - kites_red",
        "solve for kites_not_red",
    ]


def test_a_sentence_that_shows_no_step_is_written_anew() -> None:
    derivation = read("3 dozen eggs, 6 broke", "She has 3 dozen <<3*12=36>>36 eggs. 36 - 6 = 30 eggs", "30")
    assert thought("cot").render(derivation).splitlines()[0].endswith(": 3 * 12 = 36.")


def test_a_repaired_step_is_not_quoted_with_its_slip() -> None:
    derivation = read("1 pie for 3, 6 times", "Each gets 1/3 = 0.33. That makes 0.33 * 6 = 2.", "2")
    text = thought("cot").render(derivation)
    assert "0.33" not in text
    assert text.splitlines()[-1] == "The answer is 2."


@pytest.mark.parametrize(
    ("sentence", "tidy"),
    [
        ("1. So 48/2=24 left", "So 48 / 2 = 24 left."),
        ("• it is 5 x $3 = $15", "It is 5 * $3 = $15."),
        ("8 x 1 1/2 = 12 rolls", "8 * 1 1/2 = 12 rolls."),
        ("It is 3/4*16 = 12!", "It is 3/4 * 16 = 12!"),
        ("It takes 6÷1/2=12 h", "It takes 6 / (1/2) = 12 h."),
        ("It is 48.0÷4 = 12.0", "It is 48 / 4 = 12."),
        ("It is 20–8=12", "It is 20 - 8 = 12."),
        ("Then (2+2)(3) = 12 left", "Then (2 + 2)(3) = 12 left."),
    ],
)
def test_sentences_are_tidied(sentence: str, tidy: str) -> None:
    question = "48 5 8 1 1/2 3/4 16 6 20 2 3 1/2 4"
    answer = "24" if "24" in sentence else "15" if "15" in sentence else "12"
    assert thought("cot").render(read(question, sentence, answer)).splitlines()[0] == tidy


HALF, TWO, NEGATIVE, THIRD = (Constant(Fraction(each)) for each in ("1/2", "2", "-2", "1/3"))
SUM = Operation("+", TWO, HALF)
QUOTIENT = Operation("/", TWO, HALF)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (SUM, "2 + 0.5"),
        (Operation("-", TWO, SUM), "2 - (2 + 0.5)"),
        (Operation("+", TWO, Operation("-", TWO, HALF)), "2 + 2 - 0.5"),
        (Operation("*", SUM, SUM), "(2 + 0.5) * (2 + 0.5)"),
        (Operation("/", TWO, QUOTIENT), "2 / (2 / 0.5)"),
        (Operation("*", QUOTIENT, TWO), "2 * 2 / 0.5"),
        (Operation("*", TWO, THIRD), "2 / 3"),
        (Operation("/", TWO, THIRD), "2 / (1 / 3)"),
        (Operation("-", TWO, NEGATIVE), "2 - (-2)"),
        (Operation("*", NEGATIVE, TWO), "(-2) * 2"),
        (THIRD, "1 / 3"),
        (Operation("*", Result(0), TWO), "x * 2"),
    ],
)
def test_expressions_have_the_parentheses_they_need(expression: Expression, text: str) -> None:
    assert with_names(Derivation("", (), ()), ["x"])(expression) == text


@pytest.mark.parametrize(("value", "text"), [("-3", "(-3) * 2"), ("7/3", "(7/3) * 2"), ("2.5", "2.5 * 2")])
def test_values_of_steps_are_set_apart_where_they_would_be_misread(value: str, text: str) -> None:
    step = Step(TWO, Fraction(value), "x", "")
    assert with_values(Derivation("", (), (step,)))(Operation("*", Result(0), TWO)) == text


@pytest.fixture(scope="module")
def derivations() -> list[Derivation]:
    source = GsmSymbolic(seed=9)
    problems = source.draw(source.templates, 170, refuse=lambda _: None, chance=random.Random(9))
    found = (derive(problem.question, problem.solution, problem.answer) for problem in problems)
    return [derivation for derivation in found if isinstance(derivation, Derivation)]


@pytest.mark.parametrize("name", known())
def test_every_rationale_comes_to_the_answer(
    name: str, derivations: list[Derivation], sandbox: LimitedSandbox
) -> None:
    for derivation in derivations:
        text = thought(name).render(derivation)
        outcome = thought(name).outcome(text, sandbox)
        assert (outcome.value, outcome.reason) == (derivation.answer, Reason.ACCEPTED), text


@pytest.mark.parametrize("name", known())
def test_the_same_derivation_gives_the_same_text(name: str, kites: Derivation) -> None:
    assert thought(name).render(kites) == thought(name).render(read(QUESTION, SOLUTION, "54"))
