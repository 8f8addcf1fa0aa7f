"""Any bytes are either read as one of our requests or refused with `NotUnderstoodError`."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.models.prompting import prompt
from fdd.agents.synthesizer import ATTEMPT
from tests.servers.asked import NotUnderstoodError, Task, read_request

WORDS = st.text() | st.sampled_from(
    ["Task: explain", "Format: pot", "Task: harder", "<problem>\n1\n</problem>"]
)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": WORDS | st.none()})


@given(
    st.binary()
    | st.recursive(st.text() | st.integers() | st.none(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_bytes_that_are_no_request_are_not_understood(body: bytes) -> None:
    with contextlib.suppress(NotUnderstoodError):
        read_request(body)


@given(st.lists(MESSAGE), st.integers() | st.text())
def test_a_request_that_is_not_ours_is_not_understood(messages: list[object], seed: object) -> None:
    with contextlib.suppress(NotUnderstoodError):
        read_request(json.dumps({"model": "m", "messages": messages, "seed": seed}).encode())


def test_few_shot_examples_are_passed_over() -> None:
    messages = [
        {"role": "system", "content": "Task: repair\nFormat: eot\n\nYou correct rationales."},
        {"role": "user", "content": "<problem>\nAn example.\n</problem>"},
        {"role": "assistant", "content": "<rationale>\nx = 1\nsolve for x\n</rationale>"},
        {"role": "user", "content": "<problem>\nThe question.\n</problem>\n<verdict>\nNo.\n</verdict>"},
    ]
    asked = read_request(json.dumps({"model": "m", "messages": messages, "seed": 7}).encode())
    assert (asked.task, asked.thought, asked.question, asked.sample) == (
        Task.REPAIR,
        "eot",
        "The question.",
        7,
    )


@pytest.mark.parametrize("task", Task)
def test_our_own_prompts_are_understood(task: Task) -> None:
    asked = {
        "question": "How many?",
        "solution": "1 + 1 = 2",
        "rationale": "answer = 1",
        "verdict": "It is wrong.",
        "skills": "a sum",
        **dict.fromkeys(ATTEMPT, "It wrote that."),
    }
    told = {"thought": "pot", "instructions": "Write a program.", "direction": "more steps"}
    messages = prompt(task).conversation(asked, told).messages
    turns = [{"role": message.role, "content": message.content} for message in messages]
    read = read_request(json.dumps({"model": "m", "messages": turns}).encode())
    assert (read.task, read.question) == (task, "How many?")
    assert read.thought == ("pot" if task.wants_rationale else None)
    unseen = (Task.SOLVE, Task.REPAIR, Task.TAXONOMY, Task.LABEL)
    assert read.worked_solution == ("" if task in unseen else "1 + 1 = 2")
