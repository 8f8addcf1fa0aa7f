"""The symbolic teacher explains, repairs, and can be told from another; a model repairs each sample anew."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.models.asker import Asker
from fdd.agents.models.budget import Budget
from fdd.agents.models.client import Client
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE
from fdd.agents.models.request import Finish, ModelReply, ModelRequest
from fdd.agents.teacher import ModelTeacher, SymbolicTeacher, Teacher, Written
from fdd.domain import Problem, Reason, Refusal, Verdict, problem_id
from fdd.storage.call_cache import CallCache

ONE_TRY = CallConfig(at_once=1, tries=1)
REJECTED = Verdict(reason=Reason.WRONG_ANSWER, value=Fraction(1), detail="1, not 2")


def make_problem(question: str, solution: str, answer: int) -> Problem:
    value = Fraction(answer)
    return Problem(
        id=problem_id(question, value), question=question, answer=value, solution=solution, source="test"
    )


CLIPS = make_problem("48 clips in April, half as many in May.", "48/2 = 24 in May. 48 + 24 = 72", 72)
ROUNDED = make_problem("1 pie for 3, 6 times", "Each gets 1/3 = 0.33. That makes 0.33 * 6 = 2.", 2)


def explain(teacher: Teacher, problem: Problem) -> str | Refusal:
    return asyncio.run(teacher.explain(problem, "pot")).content


@pytest.fixture
def teacher() -> Teacher:
    return SymbolicTeacher()


def test_it_explains_a_problem_in_the_thought_asked_for(teacher: Teacher) -> None:
    assert explain(teacher, CLIPS) == "may = 48 / 2\nanswer = 48 + may"


def test_it_refuses_a_problem_without_a_readable_solution(teacher: Teacher) -> None:
    refusal = explain(teacher, make_problem("48 clips", "", 72))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_DERIVATION


def test_it_repairs_what_it_would_not_explain(teacher: Teacher) -> None:
    assert isinstance(explain(teacher, ROUNDED), Refusal)
    repaired = asyncio.run(teacher.repair(ROUNDED, "pot", "answer = 1", REJECTED))
    assert repaired.content == "value = 1 / 3\nanswer = value * 6"


def test_its_prompt_hash_tells_thoughts_apart_and_stays_the_same(teacher: Teacher) -> None:
    hashes = [teacher.prompt_hash(name) for name in ("pot", "cot", "eot")]
    assert len(set(hashes)) == 3
    assert hashes == [SymbolicTeacher().prompt_hash(name) for name in ("pot", "cot", "eot")]


class CountingModel:
    """Answers every request with how many it has had."""

    name = "counting"
    address = ""

    def __init__(self) -> None:
        self.samples: list[int] = []
        """Of the requests, in their order."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.samples.append(request.sample)
        text = f"<rationale>\nanswer = {len(self.samples)}\n</rationale>"
        return ModelReply(text=text, finish=Finish.STOP, prompt_tokens=1, completion_tokens=1)

    async def close(self) -> None:
        """It holds nothing."""


async def repairs(model: CountingModel, cache: CallCache) -> list[Written]:
    """Of one failed text: that of no sample in particular, and those of the first two."""
    client = Client(model, run="r", cache=cache, budget=Budget(ONE_TRY), price=FREE, config=ONE_TRY)
    teacher = ModelTeacher(Asker(client, temperature=0.7, max_tokens=100))
    written = [await teacher.repair(CLIPS, "pot", "answer =", REJECTED)]
    written += [await teacher.repair(CLIPS, "pot", "answer =", REJECTED, sample) for sample in (0, 1)]
    await client.close()
    return written


def test_equal_texts_of_two_samples_are_repaired_by_two_requests(tmp_path: Path) -> None:
    model = CountingModel()
    with CallCache(tmp_path / "calls.sqlite") as cache:
        plain, first, second = asyncio.run(repairs(model, cache))
    assert plain.content == first.content == "answer = 1"
    assert second.content == "answer = 2"
    assert model.samples[0] == 0
