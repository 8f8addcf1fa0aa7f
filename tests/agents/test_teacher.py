"""The symbolic teacher explains, repairs, and can be told from another."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest

from agents.teacher import SymbolicTeacher, Teacher
from domain import Problem, Reason, Refusal, Verdict, problem_id

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
