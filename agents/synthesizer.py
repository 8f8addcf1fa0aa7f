"""Synthesizers write a new problem from an old one: a harder, a similar or a simpler one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Protocol

from fdd.agents.models.asker import Asker
from fdd.agents.models.prompting import Conversation, Turn, examples, prompt
from fdd.agents.models.request import Answer
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.harder import harder
from fdd.agents.symbolic.varying.similar import similar
from fdd.agents.symbolic.varying.simpler import simpler
from fdd.agents.thoughts.cot import read_answer
from fdd.domain import MAX_TEXT, Draft, Operator, Problem, Reason, Refusal

ATTEMPT = ("attempt_question", "attempt_text", "attempt_verdict")
"""The variables of a prompt that show an attempt; empty where there is none."""

Drafted = Answer[Draft | Refusal]
"""A new problem, or the reason why there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An answer of the student, which shows a model that writes problems what the student cannot do yet."""

    question: str
    text: str
    verdict: str
    """Whether it is right and, if not, what it gives instead of the right answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A problem that is to be written."""

    parent: Problem
    operator: Operator
    others: Sequence[Problem] = ()
    """Problems that may be chained with the parent to make it harder."""
    attempt: Attempt | None = None
    """An answer of the student to the parent or to a problem of the same skill."""


class Synthesizer(Protocol):
    """An agent that proposes problems, which must still be verified."""

    @property
    def name(self) -> str:
        """The synthesizer's name in settings and tables."""
        ...

    @property
    def proven(self) -> bool:
        """True if its answers follow from a checked derivation; otherwise solutions must agree on each."""
        ...

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        """Write a draft; the same state of `rng` gives the same draft."""
        ...


class SymbolicSynthesizer:
    """Derives new problems from the parent's derivation, without a model."""

    name = "symbolic"
    proven = True

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        problem = wanted.parent
        derivation = derive(problem.question, problem.solution, problem.answer)
        if isinstance(derivation, Refusal):
            return Answer(content=derivation)
        match wanted.operator:
            case Operator.SIMILAR:
                return Answer(content=similar(problem, derivation, rng))
            case Operator.SIMPLER:
                return Answer(content=simpler(problem, derivation, rng))
            case Operator.HARDER:
                return Answer(content=harder(problem, derivation, wanted.others, rng))


class ModelSynthesizer:
    """A language model that writes problems; the direction of harder ones is drawn at random."""

    proven = False

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @property
    def name(self) -> str:
        return self._asker.client.model.name

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        reply = await self._asker.ask(
            conversation(wanted, rng),
            agent="synthesizer",
            parts=("problem", "solution", "answer"),
            # Drawn, so that equal prompts of different problems or rounds get independent replies.
            sample=rng.getrandbits(28),
        )
        draft = reply.content if isinstance(reply.content, Refusal) else _read_draft(reply.content)
        return Answer(content=draft, calls=reply.calls)


def conversation(wanted: Wanted, rng: random.Random) -> Conversation:
    """The messages that ask a model for a problem; the direction of a harder one is drawn from `rng`.

    A harder problem follows a right answer, so that only the other operators show an attempt.
    """
    asked = {"question": wanted.parent.question, "solution": wanted.parent.solution}
    if (operator := wanted.operator) is not Operator.HARDER:
        shown = asdict(wanted.attempt) if wanted.attempt else {}
        asked |= {name: shown.get(name.removeprefix("attempt_"), "") for name in ATTEMPT}
        return prompt(operator).conversation(asked, {}, _turns(operator, "example"))
    turns = _turns("harder", "direction")
    number = rng.randrange(len(turns))
    told = {"direction": examples("harder")["direction"][number]["instruction"]}
    return prompt("harder").conversation(asked, told, [turns[number]])


@cache
def _turns(name: str, kind: str) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            {"question": row["question"], "solution": row["solution"], **dict.fromkeys(ATTEMPT, "")},
            f"<problem>\n{row['new_question']}\n</problem>\n"
            f"<solution>\n{row['new_solution']}\n</solution>\n<answer>{row['new_answer']}</answer>",
        )
        for row in examples(name)[kind]
    )


def _read_draft(parts: dict[str, str]) -> Draft | Refusal:
    # Read as the last line of a chain of thought, so that the same rules apply.
    answer = read_answer(f"The answer is {parts['answer'].rstrip('.')}.")
    if answer is None or not (parts["problem"] and parts["solution"]):
        detail = f"the answer {parts['answer'][:40]!r} is no number" if parts["answer"] else "an empty part"
        return Refusal(reason=Reason.MALFORMED, detail=detail)
    if max(len(parts["problem"]), len(parts["solution"])) > MAX_TEXT:
        return Refusal(reason=Reason.MALFORMED, detail=f"more than {MAX_TEXT} characters")
    return Draft(question=parts["problem"], solution=parts["solution"], answer=answer)
