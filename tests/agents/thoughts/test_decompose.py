"""Subquestions answered in order, as they are written and as they are read, and the plan without answers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import thought
from fdd.agents.thoughts.base import Outcome
from fdd.agents.thoughts.decompose import PLAN_CUE, plan
from fdd.domain import Reason

QUESTION = (
    "Lena sold 48 clips in April and half as many in May. Each clip costs $3. "
    "How much money did she make if she gave 10% away?"
)
SOLUTION = (
    "She sold 48/2 = <<48/2=24>>24 clips in May.\nAltogether she sold 48+24 = <<48+24=72>>72 clips.\n"
    "That brought her 72*3 = $<<72*3=216>>216.\nShe gave 216*10/100 = $<<216*10/100=21.6>>21.60 away.\n"
    "So she made 216-21.6 = $<<216-21.6=194.4>>194.40."
)
TEXT = """\
Question 1: How many clips did she sell in May?
Answer 1: 48 / 2 = 24
Question 2: How many clips did she sell in both months?
Answer 2: Together that is 48 + 24 = 72 clips.
The answer is 72."""
PLAN = (
    "Question 1: How many clips did she sell in May?\nQuestion 2: How many clips did she sell in both months?"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=1) as sandbox:
        yield sandbox


def read(question: str, solution: str, answer: str) -> Derivation:
    derivation = derive(question, solution, Fraction(answer))
    assert isinstance(derivation, Derivation), derivation
    return derivation


def test_each_step_is_asked_for_and_the_last_one_by_the_question_itself() -> None:
    assert thought("decompose").render(read(QUESTION, SOLUTION, "194.4")).splitlines() == [
        "Question 1: How many clips did Lena sell in May?",
        "Answer 1: 48 / 2 = 24",
        "Question 2: How many clips did she sell in total?",
        "Answer 2: 48 + 24 = 72",
        "Question 3: How much money did that bring her?",
        "Answer 3: 72 * 3 = 216",
        "Question 4: How much money did she give away?",
        "Answer 4: 216 * 10 / 100 = 21.6",
        "Question 5: How much money did Lena make?",
        "Answer 5: 216 - 21.6 = 194.4",
        "The answer is 194.4.",
    ]


def test_no_question_is_asked_twice() -> None:
    solution = "There were 20-7 = 13 bars left. There were 13-3 = 10 bars left. So 10/2 = 5 were sold."
    text = thought("decompose").render(read("20 bars, 7 and 3 gone, half sold. How many?", solution, "5"))
    assert plan(text).splitlines() == [
        "Question 1: How many bars were left?",
        "Question 2: How many bars were left then?",
        "Question 3: How many?",
    ]


def test_a_step_whose_sentence_tells_nothing_is_asked_for_by_its_operation() -> None:
    text = thought("decompose").render(read("4 and 5, thrice. How many?", "4+5 = 9. 9*3 = 27.", "27"))
    assert plan(text) == "Question 1: How much is 4 + 5?\nQuestion 2: How many?"


def test_a_right_decomposition_is_accepted_with_its_answer(sandbox: LimitedSandbox) -> None:
    assert thought("decompose").outcome(TEXT, sandbox) == Outcome(value=Fraction(72))


def test_the_arithmetic_of_every_answer_is_checked(sandbox: LimitedSandbox) -> None:
    outcome = thought("decompose").outcome(TEXT.replace("= 24", "= 26"), sandbox)
    assert (outcome.value, outcome.reason) == (Fraction(72), Reason.WRONG_ARITHMETIC)
    assert outcome.detail == "`48 / 2 = 26`: the value is 24"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "the last line is not `The answer is N.`"),
        ("The answer is 72.", "there is no `Question 1:`"),
        (TEXT.removesuffix("\nThe answer is 72."), "the last line is not `The answer is N.`"),
        (TEXT + "\nThat is all.", "the last line is not `The answer is N.`"),
        (PLAN, "the last line is not `The answer is N.`"),
        (
            f"{PLAN}\nThe answer is 72.",
            "'Question 2: How many clips did she sell in both months?' stands where",
        ),
        (
            TEXT.replace("Question 2", "Question 3"),
            "'Question 3: How many clips did she sell in both months?'",
        ),
        (
            TEXT.replace("Answer 2", "Answer 1"),
            "'Answer 1: Together that is 48 + 24 = 72 clips.' stands where",
        ),
        (
            TEXT.replace("Question 1", "Question 0"),
            "'Question 0: How many clips did she sell in May?' stands",
        ),
        (
            TEXT.replace("Answer 1: 48 / 2 = 24", "Answer 1:"),
            "'Answer 1:' stands where `Answer 1:` and its text",
        ),
        (
            TEXT.replace("Answer 1: 48 / 2 = 24\n", ""),
            "'Question 2: How many clips did she sell in both mont",
        ),
        (f"Let us see.\n{TEXT}", "'Let us see.' stands where `Question 1:` and its text are due"),
        (
            TEXT.replace("\nAnswer 2: Together that is 48 + 24 = 72 clips.", ""),
            "the last question has no answer",
        ),
    ],
)
def test_a_text_out_of_form_has_no_answer(text: str, detail: str, sandbox: LimitedSandbox) -> None:
    outcome = thought("decompose").outcome(text, sandbox)
    assert (outcome.value, outcome.reason) == (None, Reason.NO_ANSWER)
    assert outcome.detail.startswith(detail)


def test_the_plan_is_the_numbered_questions_alone() -> None:
    assert plan(TEXT) == PLAN


@pytest.mark.parametrize(
    "text", ["", "Nothing.", TEXT.replace("Question 2", "Question 4"), "Question 2: Why?"]
)
def test_what_does_not_parse_has_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match=r"stands where|the last line is not"):
        plan(text)


def test_a_student_that_plans_is_told_so_by_another_cue() -> None:
    assert thought("decompose").cue != PLAN_CUE
    assert "\n" not in PLAN_CUE
