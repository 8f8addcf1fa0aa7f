"""Answers our prompts with the symbolic agents, rightly or wrongly as it is told."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fdd.agents.symbolic.derivation import Derivation, Operation
from fdd.agents.symbolic.numbers import DIGITS, write_plain
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.synthesizer import SymbolicSynthesizer, Wanted
from fdd.agents.thoughts import thought as find_thought
from fdd.amounts import parse_number
from fdd.domain import Draft, Operator, Problem, Refusal, problem_id
from fdd.matching import exact_form
from fdd.problems.jsonl import read_jsonl
from tests.servers.asked import Asked, Task
from tests.servers.slips import slipped


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a model would have written."""

    text: str
    wrong: bool = False
    """Whether it is wrong on purpose."""
    declined: bool = False
    """Whether the text says that it could not be done."""


UNSOLVED = Reply(text="I cannot work this problem out.\n<rationale>\n</rationale>", declined=True)
UNWRITTEN = Reply(text="I cannot think of a new problem.", declined=True)


class Scholar:
    """Knows the given problems, and every problem that it has written since."""

    def __init__(self, known: Iterable[Problem], state: Path | None = None) -> None:
        """`state` is a file in GSM8K's format that keeps the problems it writes for the next start."""
        self._state = state
        written = read_jsonl(state) if state is not None and state.exists() else []
        self._problems = {exact_form(problem.question): problem for problem in (*known, *written)}

    async def reply(self, asked: Asked, *, wrong: bool, rng: random.Random) -> Reply:
        """Returns a reply that depends only on the request, `rng` and the problems known at this time.

        `wrong` asks for a wrong reply; `Reply.wrong` says whether it is one.
        """
        if asked.task is Task.TAXONOMY:
            return Reply(text="<skills>\n1. addition last\n- product last\nanother last step\n</skills>")
        if asked.task is Task.LABEL:
            return self._label(asked)
        problem = self._problems.get(exact_form(asked.question)) or _from_worked_solution(asked)
        if asked.thought is None:
            operator = Operator(asked.task)
            return UNWRITTEN if problem is None else await self._invent(problem, operator, wrong, rng)
        derivation = None if problem is None else _derive(problem)
        return UNSOLVED if derivation is None else _explain(derivation, asked.thought, wrong, rng)

    async def _invent(self, parent: Problem, operator: Operator, wrong: bool, rng: random.Random) -> Reply:
        wanted = Wanted(parent=parent, operator=operator)
        written = (await SymbolicSynthesizer().write(wanted, rng)).content
        if isinstance(written, Refusal):
            return UNWRITTEN
        self._remember(written)
        answer = written.answer + rng.randint(1, 9) if wrong else written.answer
        text = (
            f"<problem>\n{written.question}\n</problem>\n"
            f"<solution>\n{written.solution}\n</solution>\n"
            f"<answer>{write_plain(answer)}</answer>"
        )
        return Reply(text=text, wrong=wrong)

    def _label(self, asked: Asked) -> Reply:
        problem = self._problems.get(exact_form(asked.question))
        derivation = None if problem is None else _derive(problem)
        last = derivation.steps[-1].expression if derivation else None
        sign = last.sign if isinstance(last, Operation) else ""
        name = {"+": "addition last", "*": "Product last"}.get(sign, "another last step")
        return Reply(text=f"<skill>{name}</skill>")

    def _remember(self, draft: Draft) -> None:
        form = exact_form(draft.question)
        if form in self._problems:
            return
        self._problems[form] = _problem(draft.question, draft.solution, draft.answer)
        if self._state is not None:
            answer = f"{draft.solution}\n#### {write_plain(draft.answer)}"
            with self._state.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"question": draft.question, "answer": answer}) + "\n")


def _explain(derivation: Derivation, thought: str, wrong: bool, rng: random.Random) -> Reply:
    mistaken = slipped(derivation, rng) if wrong else None
    rationale = find_thought(thought).render(mistaken or derivation)
    return Reply(text=f"<rationale>\n{rationale}\n</rationale>", wrong=mistaken is not None)


def _derive(problem: Problem) -> Derivation | None:
    for repair in (False, True):
        try:
            derivation = derive(problem.question, problem.solution, problem.answer, repair=repair)
        except RecursionError:
            return None
        if isinstance(derivation, Derivation):
            return derivation
    return None


def _from_worked_solution(asked: Asked) -> Problem | None:
    """Reads the problem from its worked solution, whose last number is taken as the answer."""
    solution = asked.worked_solution
    numbers = re.findall(r"=([^<>=]+)>>", solution) or re.findall(DIGITS, solution)
    answer = parse_number(numbers[-1]) if numbers else None
    return None if answer is None else _problem(asked.question, solution, answer)


def _problem(question: str, solution: str, answer: Fraction) -> Problem:
    return Problem(
        id=problem_id(question, answer),
        question=question,
        answer=answer,
        solution=solution,
        source="teaching-server",
    )
