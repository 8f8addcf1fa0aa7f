"""Answers got out of texts that anybody may have written."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fdd.agents.thoughts import thought
from fdd.agents.thoughts.base import Outcome
from fdd.agents.thoughts.cot import read_answer, wrong_arithmetic
from fdd.domain import Reason


class Recorder:
    """A sandbox that answers 7 and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def run_program(self, source: str) -> Outcome:
        self.asked.append(source)
        return Outcome(value=Fraction(7))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("The answer is 72.", "72"),
        ("The answer is -72", "-72"),
        ("The answer is $1,200.50.", "1200.5"),
        ("The answer is -$3.", "-3"),
        ("The answer is 25%.", "25"),
        ("The answer is 3/4.", "3/4"),
        ("The answer is 1 1/2.", "3/2"),
        ("The answer is .5", "1/2"),
        ("The answer is 1.\nNo, wait.\nThe answer is 2.", "2"),
        ("The answer is 72.\r", "72"),
    ],
)
def test_the_last_answer_line_gives_the_number(line: str, value: str) -> None:
    assert read_answer(f"So it is.\n{line}\n") == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is 72.",
        "So The answer is 72.",
        "The answer is 72 clips.",
        "The answer is seventy-two.",
        "The answer is 1 2.",
        "The answer is 3/0.",
        "The answer is 1,20.",
        "The answer is 5. Or 6.",
        "The answer is 5.\nNo, that is wrong.",
    ],
)
def test_other_endings_give_no_answer(text: str) -> None:
    outcome = thought("cot").outcome(text, Recorder())
    assert (outcome.value, outcome.reason) == (None, Reason.NO_ANSWER)


def test_a_right_chain_is_accepted_with_its_answer() -> None:
    text = "She sold 48 / 2 = 24 clips.\nTogether 48 + 24 = 72.\nThe answer is 72."
    assert thought("cot").outcome(text, Recorder()) == Outcome(value=Fraction(72))


def test_a_right_answer_on_wrong_arithmetic_is_told_apart() -> None:
    outcome = thought("cot").outcome("She sold 48 / 2 = 26 clips.\nThe answer is 72.", Recorder())
    assert (outcome.value, outcome.reason) == (Fraction(72), Reason.WRONG_ARITHMETIC)
    assert outcome.detail == "`48 / 2 = 26`: the value is 24"


@pytest.mark.parametrize(
    "text",
    [
        "25% of 80 = 20 birds",
        "100% - 25% = 75%",
        "3 / 12 = 25%",
        "5 * 3 = 15 + 2 = 17",
        "In 2x + 100 = 184, x is 42",
        "2 hours = 2 * 60 = 120 minutes",
        "a 3-page letter",
        "72 = 48 + 24 clips",
        "Box 2 = 3 * 4 = 12 pens",
        "2 * 60 = 120 = 2 hours",
        "$3 = 300 cents",
        "She has <<48/2=24>>24 clips",
    ],
)
def test_right_arithmetic_in_any_shape_is_not_complained_of(text: str) -> None:
    assert wrong_arithmetic(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "10 / 3 = 3.33",
        "5 * 3 = 16 + 2 = 18",
        "25% of 80 = 25",
        "48 / 2 = 24 = 25",
        "72 = 48 + 25",
        "She has <<48/2=25>>25 clips",
        "#### 48 / 2 = 25",
    ],
)
def test_results_that_are_not_exact_are_wrong(text: str) -> None:
    assert wrong_arithmetic(text) is not None


def test_a_program_goes_to_the_sandbox_as_it_is() -> None:
    sandbox = Recorder()
    assert thought("pot").outcome("answer = 7", sandbox).value == 7
    assert sandbox.asked == ["answer = 7"]


def test_equations_are_solved_without_the_sandbox() -> None:
    sandbox = Recorder()
    assert thought("eot").outcome("\nx * 2 = 16\n\n y = x \nsolve for y\n", sandbox).value == 8
    assert sandbox.asked == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.NO_ANSWER),
        ("x = 7", Reason.NO_ANSWER),
        ("x = 7\nSolve for x", Reason.NO_ANSWER),
        ("x = 7\nsolve for x + y", Reason.NO_ANSWER),
        ("x = 7\nsolve for x\nThat is 7.", Reason.NO_ANSWER),
        ("x = y = 7\nsolve for x", Reason.SYNTAX_ERROR),
        ("solve for y\nx = 7\nsolve for x", Reason.SYNTAX_ERROR),
        ("x is 7\nsolve for x", Reason.SYNTAX_ERROR),
    ],
)
def test_what_is_no_system_of_equations_is_not_solved(text: str, reason: Reason) -> None:
    assert thought("eot").outcome(text, Recorder()).reason is reason
