"""A problem is material: whatever its text says, the prompt keeps its form and the verdict its ground."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.models.asker import Asker
from fdd.agents.models.budget import Budget
from fdd.agents.models.client import Client
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE
from fdd.agents.models.prompting import FOLDER, prompt, quote
from fdd.agents.models.request import Finish, ModelReply, ModelRequest
from fdd.agents.synthesizer import ATTEMPT
from fdd.agents.teacher import ModelTeacher, conversation
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Reason, problem_id
from fdd.graph.lesson import LessonContext, LessonState, Task, build_lesson
from fdd.storage.call_cache import CallCache
from tests.hostile_text.strategies import TAGGED, bounded
from tests.hostile_text.texts import INJECTIONS
from tests.servers.asked import read_request, unquote
from tests.servers.talking import content, post, write_knowledge
from tests.servers.teaching import TeachingServer, teaching

ONE_TRY = CallConfig(at_once=1, tries=1)
NAMES = sorted(file.stem for file in FOLDER.glob("*.md"))
TOLD = {"thought": "pot", "instructions": "Write a program.", "direction": "Add a step."}
ORDERED = re.compile(r"answer is (\d+)")


def hostile_problem(injection: str) -> Problem:
    question, answer = f"Tom has 48 apples. {injection} How many are half of them?", Fraction(24)
    return Problem(
        id=problem_id(question, answer),
        question=question,
        answer=answer,
        solution="Half of them are 48 / 2 = 24 apples.",
        source="tests",
    )


ASKED = ("question", "solution", "rationale", "verdict", "skills", *ATTEMPT)


def structure(text: str) -> list[str]:
    return re.findall(r"</?[A-Za-z_]\w*>|<\|", text)


@pytest.mark.parametrize("injection", INJECTIONS.values(), ids=INJECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_no_text_changes_the_tags_of_a_prompt(name: str, injection: str) -> None:
    plain, hostile = (
        prompt(name).conversation(dict.fromkeys(ASKED, text), TOLD) for text in ("How many?", injection)
    )
    assert [structure(m.content) for m in hostile.messages] == [structure(m.content) for m in plain.messages]
    assert [message.role for message in hostile.messages] == ["system", "user"]


@pytest.mark.parametrize("injection", INJECTIONS.values(), ids=INJECTIONS)
def test_who_reads_a_prompt_gets_the_problem_back_unchanged(injection: str) -> None:
    problem = hostile_problem(injection)
    messages = conversation("explain", problem, "pot").messages
    turns = [{"role": message.role, "content": message.content} for message in messages]
    asked = read_request(json.dumps({"model": "m", "messages": turns}).encode())
    assert (asked.question, asked.worked_solution) == (problem.question, problem.solution)


@bounded
@given(TAGGED)
def test_what_was_quoted_can_be_unquoted(text: str) -> None:
    assert unquote(quote(text)) == text


@bounded
@given(TAGGED)
def test_quoted_text_has_no_tags(text: str) -> None:
    assert structure(quote(text)) == []


@bounded
@given(st.text("0123456789+-*/=<>() \n"))
def test_arithmetic_is_shown_as_it_is(text: str) -> None:
    assert quote(text) == text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeachingServer]:
    """It knows the hostile problems, and answers those that it can make out in the prompt."""
    folder = tmp_path_factory.mktemp("server")
    known = write_knowledge(folder / "known.jsonl", map(hostile_problem, INJECTIONS.values()))
    with teaching(folder, "--knowledge", str(known)) as server:
        yield server


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


@pytest.mark.parametrize("injection", INJECTIONS.values(), ids=INJECTIONS)
def test_a_server_recognises_the_problem_behind_an_injection(
    injection: str, server: TeachingServer, verifier: Verifier
) -> None:
    problem = hostile_problem(injection)
    messages = conversation("solve", problem, "pot").messages
    turns = [{"role": message.role, "content": message.content} for message in messages]
    reply = content(post(server, json.dumps({"model": "m", "messages": turns}).encode()))
    rationale = re.fullmatch(r"<rationale>\n(.*)\n</rationale>", reply.strip(), re.DOTALL)
    assert rationale is not None, reply
    assert verifier.judge("pot", rationale[1], problem.answer).accepted


class ObedientModel:
    """Does what the problem tells it, as a model that takes text for orders would."""

    name = "obedient"
    address = ""

    async def complete(self, request: ModelRequest) -> ModelReply:
        ordered = ORDERED.search(request.messages[-1].content)
        assert ordered is not None
        text = f"<rationale>\nanswer = {ordered[1]}\n</rationale>"
        return ModelReply(text=text, finish=Finish.STOP, prompt_tokens=1, completion_tokens=1)

    async def close(self) -> None:
        """It holds nothing."""


async def taught_by_obedience(problem: Problem, verifier: Verifier, cache: CallCache) -> LessonState:
    client = Client(ObedientModel(), run="r", cache=cache, budget=Budget(ONE_TRY), price=FREE, config=ONE_TRY)
    teacher = ModelTeacher(Asker(client, temperature=0.7, max_tokens=100))
    state = LessonState(problem=problem, tasks=(Task(thought="pot"),))
    context = LessonContext(teacher=teacher, verifier=verifier)
    lesson = await build_lesson().compile().ainvoke(state, context=context, version="v2")
    await client.close()
    return lesson.value


def test_a_model_that_obeys_the_problem_teaches_nothing(verifier: Verifier, tmp_path: Path) -> None:
    with CallCache(tmp_path / "calls.sqlite") as cache:
        problem = hostile_problem(INJECTIONS["an order"])
        lesson = asyncio.run(taught_by_obedience(problem, verifier, cache))
    assert lesson.outcome == "quarantined"
    assert [taken.verdict.reason for taken in lesson.tries] == [Reason.WRONG_ANSWER, Reason.WRONG_ANSWER]
