"""Prompt files, their variables, their examples and their hashes."""

from fractions import Fraction

import pytest
from jinja2 import UndefinedError

from fdd.agents.models.prompting import FOLDER, Turn, examples, prompt
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.synthesizer import ATTEMPT

NAMES = sorted(file.stem for file in FOLDER.glob("*.md"))
TOLD = {"thought": "pot", "instructions": "Write a program.", "direction": "Add a step."}
ASKED = {"question": "What is 6 times 7?", "solution": "6 * 7 = 42", "skills": "a product"}
ASKED |= dict.fromkeys(ATTEMPT, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_names_its_task_and_asks_for_the_problem(name: str) -> None:
    system, asked = prompt(name).conversation(ASKED, TOLD).messages
    assert system.content.startswith(f"Task: {name}\n")
    assert "<problem>\nWhat is 6 times 7?\n</problem>" in asked.content
    assert (system.role, asked.role) == ("system", "user")


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_that_is_missing_is_an_error(name: str) -> None:
    with pytest.raises(UndefinedError):
        prompt(name).conversation({}, TOLD)


def test_the_worked_solution_is_shown_where_there_is_one() -> None:
    shown = prompt("explain").conversation(ASKED, TOLD).messages[-1].content
    hidden = prompt("explain").conversation({**ASKED, "solution": ""}, TOLD).messages[-1].content
    assert "<worked_solution>\n6 * 7 = 42\n</worked_solution>" in shown
    assert "worked_solution" not in hidden


def test_the_text_of_a_problem_is_never_read_as_a_template() -> None:
    asked = {**ASKED, "question": "What is {{ 6 * 7 }}?"}
    assert "What is {{ 6 * 7 }}?" in prompt("explain").conversation(asked, TOLD).messages[-1].content


def test_examples_stand_as_earlier_turns() -> None:
    turn = Turn(ASKED, "<rationale>\nanswer = 42\n</rationale>")
    roles = [message.role for message in prompt("explain").conversation(ASKED, TOLD, [turn]).messages]
    assert roles == ["system", "user", "assistant", "user"]


def test_the_hash_changes_with_what_is_told_and_shown_but_not_with_what_is_asked() -> None:
    explain, turn = prompt("explain"), Turn(ASKED, "answer = 42")
    hashes = {explain.hash(TOLD), explain.hash({**TOLD, "thought": "cot"}), explain.hash(TOLD, [turn])}
    assert len(hashes) == 3
    assert prompt("solve").hash(TOLD) not in hashes


@pytest.mark.parametrize("row", examples("lessons")["lesson"], ids=lambda row: row["answer"])
def test_the_worked_lessons_are_right(row: dict[str, str]) -> None:
    assert isinstance(derive(row["question"], row["solution"], Fraction(row["answer"])), Derivation)


@pytest.mark.parametrize(
    "row",
    [*examples("similar")["example"], *examples("harder")["direction"]],
    ids=lambda row: row["new_answer"],
)
def test_the_example_problems_are_right(row: dict[str, str]) -> None:
    derivation = derive(row["new_question"], row["new_solution"], Fraction(row["new_answer"]))
    assert isinstance(derivation, Derivation)
