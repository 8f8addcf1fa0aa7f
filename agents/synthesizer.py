"""Synthesizers write a new problem from an old one: harder where it was solved, similar where it was not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from agents.calling.asker import Asker
from agents.calling.request import Answer
from agents.prompting import Conversation, Turn, examples, prompt
from agents.symbolic.harder import harder
from agents.symbolic.parse import derive
from agents.symbolic.similar import similar
from agents.thoughts.cot import read_answer
from domain import MAX_TEXT, Band, Draft, Operator, Problem, Reason, Refusal

Drafted = Answer[Draft | Refusal]
"""A new problem, or why there is none."""


class Synthesizer(Protocol):
    """An agent that proposes problems; what it proposes is still to be verified."""

    @property
    def name(self) -> str:
        """What it is called in settings and tables."""
        ...

    @property
    def proven(self) -> bool:
        """Its answers follow from a checked derivation; else each is a proposal, and must be agreed on."""
        ...

    async def write(
        self, problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
    ) -> Drafted:
        """A draft made from the problem with the operator, the same for the same state of `rng`.

        `others` are problems that it may be chained with to make it harder.
        """
        ...


class SymbolicSynthesizer:
    """Writes problems from the parent's derivation, without a model."""

    name = "symbolic"
    proven = True

    async def write(
        self, problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
    ) -> Drafted:
        return Answer(content=_vary(problem, operator, others, rng))


def _vary(
    problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
) -> Draft | Refusal:
    derivation = derive(problem.question, problem.solution, problem.answer)
    if isinstance(derivation, Refusal):
        return derivation
    if operator is Operator.SIMILAR:
        return similar(problem, derivation, rng)
    return harder(problem, derivation, others, rng)


class ModelSynthesizer:
    """A language model that writes problems, harder ones in a direction drawn by chance."""

    proven = False

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @property
    def name(self) -> str:
        return self._asker.model

    async def write(
        self, problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
    ) -> Drafted:
        del others
        reply = await self._asker.ask(
            conversation(problem, operator, rng),
            agent="synthesizer",
            parts=("problem", "solution", "answer"),
            sample=rng.getrandbits(28),
        )
        if isinstance(reply.content, Refusal):
            return Answer(content=reply.content, calls=reply.calls)
        return Answer(content=_read_draft(reply.content), calls=reply.calls)


def conversation(problem: Problem, operator: Operator, rng: random.Random) -> Conversation:
    """What a model is sent to write a problem; the direction of a harder one is drawn."""
    asked = {"question": problem.question, "solution": problem.solution}
    if operator is Operator.SIMILAR:
        return prompt("similar").conversation(asked, {}, _turns("similar", "example"))
    number = rng.randrange(len(_turns("harder", "direction")))
    told = {"direction": examples("harder")["direction"][number]["instruction"]}
    return prompt("harder").conversation(asked, told, [_turns("harder", "direction")[number]])


@cache
def _turns(name: str, kind: str) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            {"question": row["question"], "solution": row["solution"]},
            f"<problem>\n{row['new_question']}\n</problem>\n"
            f"<solution>\n{row['new_solution']}\n</solution>\n<answer>{row['new_answer']}</answer>",
        )
        for row in examples(name)[kind]
    )


def _read_draft(parts: dict[str, str]) -> Draft | Refusal:
    answer = read_answer(f"The answer is {parts['answer'].rstrip('.')}.")
    if answer is None or not (parts["problem"] and parts["solution"]):
        detail = f"the answer {parts['answer'][:40]!r} is no number" if parts["answer"] else "an empty part"
        return Refusal(reason=Reason.MALFORMED, detail=detail)
    if max(len(parts["problem"]), len(parts["solution"])) > MAX_TEXT:
        return Refusal(reason=Reason.MALFORMED, detail=f"more than {MAX_TEXT} characters")
    return Draft(question=parts["problem"], solution=parts["solution"], answer=answer)


def operator_for(band: Band) -> Operator:
    """What to write for a parent of this difficulty: a harder problem for an easy one, else a similar one."""
    return Operator.HARDER if band is Band.EASY else Operator.SIMILAR
