"""Synthesizers write a new problem from an old one: harder where it was solved, similar where it was not."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Protocol

from agents.symbolic.harder import harder
from agents.symbolic.numbers import read_digits
from agents.symbolic.parse import derive
from agents.symbolic.similar import similar
from domain import Band, Draft, Operator, Problem, Reason, Refusal


class Synthesizer(Protocol):
    """An agent that proposes problems; what it proposes is still to be verified."""

    name: str

    def write(
        self, problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
    ) -> Draft | Refusal:
        """A draft made from the problem with the operator, the same for the same state of `rng`.

        `others` are problems that it may be chained with to make it harder.
        """
        ...


class SymbolicSynthesizer:
    """Writes problems from the parent's derivation, without a model."""

    name = "symbolic"

    def write(
        self, problem: Problem, operator: Operator, others: Sequence[Problem], rng: random.Random
    ) -> Draft | Refusal:
        derivation = derive(problem.question, problem.solution, problem.answer)
        if isinstance(derivation, Refusal):
            return derivation
        if not _ends_in_answer(problem):
            return Refusal(reason=Reason.NO_DERIVATION, detail="the solution goes on after its answer")
        if operator is Operator.SIMILAR:
            return similar(problem, derivation, rng)
        return harder(problem, derivation, others, rng)


def _ends_in_answer(problem: Problem) -> bool:
    """Whether the last result that it writes is the answer; else the answer was met by chance on the way."""
    results = re.findall(r"=\s*[$€£]?\s*(\d[\d,]*(?:\.\d+)?|\.\d+)", problem.solution)
    return not results or read_digits(results[-1].rstrip(",")) in (problem.answer, problem.answer / 100)


def operator_for(band: Band) -> Operator:
    """What to write for a parent of this difficulty: a harder problem for an easy one, else a similar one."""
    return Operator.HARDER if band is Band.EASY else Operator.SIMILAR
