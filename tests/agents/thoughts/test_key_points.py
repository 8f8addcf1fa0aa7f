"""Rationales that begin with the core question and the facts, as they are written and as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import thought
from fdd.agents.thoughts.base import Outcome
from fdd.agents.thoughts.kp_cot import read_parts
from fdd.domain import Reason

QUESTION = (
    "Lena needs beads. She has 36 red beads and half as many blue ones. If she loses 8, how many are left?"
)
SOLUTION = "She has 36/2 = <<36/2=18>>18 blue beads.\nShe has 36+18-8 = <<36+18-8=46>>46 beads left."

PARTS = """\
Core question: How many are left?
Problem-solving information:
- She has 36 red beads and half as many blue ones.
- She loses 8.
Solution:
"""
SENTENCES = PARTS + "She has 36 / 2 = 18 blue ones.\n36 + 18 - 8 = 46 are left.\nThe answer is 46."
PROGRAM = PARTS + "blue = 36 / 2\nanswer = 36 + blue - 8"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def beads() -> Derivation:
    derivation = derive(QUESTION, SOLUTION, Fraction(46))
    assert isinstance(derivation, Derivation), derivation
    return derivation


def test_key_points_stand_before_a_chain_of_thought(beads: Derivation) -> None:
    assert thought("kp_cot").render(beads).splitlines() == [
        "Core question: How many are left?",
        "Problem-solving information:",
        "- Lena has 36 red beads and half as many blue ones.",
        "- She loses 8.",
        "Solution:",
        "She has 36 / 2 = 18 blue beads.",
        "She has 36 + 18 - 8 = 46 beads left.",
        "The answer is 46.",
    ]


def test_key_points_stand_before_a_program(beads: Derivation) -> None:
    text = thought("kp_pot").render(beads)
    assert text.endswith(f"\nSolution:\n{thought('pot').render(beads)}")
    assert text.startswith("Core question: How many are left?\nProblem-solving information:\n- Lena")


@pytest.mark.parametrize(("name", "text"), [("kp_cot", SENTENCES), ("kp_pot", PROGRAM)])
def test_the_solution_gives_the_answer(name: str, text: str, sandbox: LimitedSandbox) -> None:
    assert thought(name).outcome(text, sandbox) == Outcome(value=Fraction(46))


def test_blank_lines_and_the_indentation_of_a_program_do_no_harm(sandbox: LimitedSandbox) -> None:
    text = PROGRAM.replace("\nSolution:\n", "\n\nSolution:\n\n") + "\nif blue > 0:\n    answer = answer + 1\n"
    assert thought("kp_pot").outcome(text, sandbox).value == 47


def test_wrong_arithmetic_in_the_solution_is_found(sandbox: LimitedSandbox) -> None:
    outcome = thought("kp_cot").outcome(SENTENCES.replace("= 18", "= 19"), sandbox)
    assert (outcome.value, outcome.reason) == (Fraction(46), Reason.WRONG_ARITHMETIC)


def test_a_solution_without_an_answer_has_none(sandbox: LimitedSandbox) -> None:
    outcome = thought("kp_cot").outcome(SENTENCES.replace("\nThe answer is 46.", ""), sandbox)
    assert outcome.detail == "the last line is not `The answer is N.`"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "`Core question:` stands in the text 0 times instead of once"),
        ("The answer is 46.", "`Core question:` stands in the text 0 times instead of once"),
        (SENTENCES.replace("Solution:\n", ""), "`Solution:` stands in the text 0 times instead of once"),
        (
            SENTENCES + "\nSolution:\nThe answer is 46.",
            "`Solution:` stands in the text 2 times instead of once",
        ),
        (SENTENCES.replace("Core", "core"), "`Core question:` stands in the text 0 times instead of once"),
        ("Sure!\n" + SENTENCES, "the headings are not in this order"),
        (
            "Problem-solving information:\n- It is 3.\nCore question: How many?\nSolution:\nThe answer is 3.",
            "the headings are not in this order",
        ),
        (
            SENTENCES.replace(" How many are left?", ""),
            "`Core question:` is not followed by one sentence on its line",
        ),
        (
            SENTENCES.replace(": How many are left?", ":\nHow many are left?"),
            "`Core question:` is not followed by one sentence on its line",
        ),
        (
            SENTENCES.replace("information:\n", "information: two facts\n"),
            "`Problem-solving information:` is not alone on its line",
        ),
        (
            SENTENCES.replace("- She has 36 red beads and half as many blue ones.\n- She loses 8.\n", ""),
            "below `Problem-solving information:` not every line is a fact behind `- `",
        ),
        (
            SENTENCES.replace("- She loses 8.", "She loses 8."),
            "below `Problem-solving information:` not every line is a fact behind `- `",
        ),
        (
            SENTENCES.replace("- She loses 8.", "-"),
            "below `Problem-solving information:` not every line is a fact behind `- `",
        ),
        (PARTS, "nothing stands below `Solution:`"),
    ],
)
def test_a_text_without_all_three_parts_in_order_has_no_answer(
    text: str, detail: str, sandbox: LimitedSandbox
) -> None:
    outcome = thought("kp_cot").outcome(text, sandbox)
    assert (outcome.value, outcome.reason) == (None, Reason.NO_ANSWER)
    assert outcome.detail.startswith(detail)


def test_the_parts_can_be_had_one_by_one() -> None:
    core, facts, solution = read_parts(PROGRAM)
    assert core == "How many are left?"
    assert facts == ("She has 36 red beads and half as many blue ones.", "She loses 8.")
    assert solution == "blue = 36 / 2\nanswer = 36 + blue - 8"


def test_the_prompt_of_each_ends_in_that_of_its_solution() -> None:
    for name in ("cot", "pot"):
        assert thought(f"kp_{name}").prompt.endswith(f"\n\n{thought(name).prompt}")
