"""The scholar has a reply to every prompt of ours, whatever text is in it."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agents.symbolic.parents import PARENTS, TANK
from tests.servers.asked import Asked, Task
from tests.servers.scholar import Reply, Scholar

FRAGMENTS = [
    "48",
    "0",
    "1/2",
    "25%",
    "-3",
    "1,200",
    "$.5",
    "=",
    "+",
    "/",
    "*",
    "(",
    ")",
    "<<",
    ">>",
    "x",
    "half",
    ".",
]
TEXT = st.text() | st.lists(st.sampled_from([*FRAGMENTS, "clips", "\n"]), max_size=40).map(" ".join)
NOTHING_KNOWN = Scholar([])


def answer(scholar: Scholar, question: str, task: Task, worked: str = "", *, wrong: bool = False) -> Reply:
    asked = Asked(
        model="m",
        sample=0,
        task=task,
        thought="cot" if task.wants_rationale else None,
        question=question,
        worked_solution=worked,
        prompt_tokens=1,
    )
    return asyncio.run(scholar.reply(asked, wrong=wrong, rng=random.Random(0)))


@given(TEXT, TEXT, st.sampled_from(Task), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_texts_get_a_reply(question: str, worked: str, task: Task, wrong: bool) -> None:
    assert answer(NOTHING_KNOWN, question, task, worked, wrong=wrong).text


@pytest.mark.parametrize("worked", [f"{'(' * 3000}1 + 1{')' * 3000} = 2", "1 / 0 = 5 and 5 + 5 = 10"])
def test_a_worked_solution_that_cannot_be_read_is_declined(worked: str) -> None:
    assert answer(NOTHING_KNOWN, "How many?", Task.EXPLAIN, worked).declined


def test_typographic_variants_of_a_question_are_the_same_problem() -> None:
    question = TANK.question.replace(" ", "  ").upper()
    assert (
        answer(Scholar(PARENTS), question, Task.SOLVE).text
        == answer(Scholar(PARENTS), TANK.question, Task.SOLVE).text
    )
