"""Writes similar problems: the parent's story and derivation with new numbers and new names."""

from __future__ import annotations

import random

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.renumbering import Renumbering
from fdd.agents.symbolic.varying.slots import slots
from fdd.agents.symbolic.wording.first_names import rename
from fdd.agents.symbolic.wording.rewriting import Rewritten
from fdd.domain import Draft, Problem, Reason, Refusal

ROUND_TRIPS = 3
"""Number of attempts with other numbers. With some numbers the new solution can be read in several ways."""


def similar(problem: Problem, derivation: Derivation, rng: random.Random) -> Draft | Refusal:
    """Write a problem of the same structure with other numbers, or a Refusal with `Reason.NO_VARIATION`."""
    free = slots(derivation)
    if not free:
        return Refusal(reason=Reason.NO_VARIATION, detail="no number of the question may change")
    renumbering = Renumbering(derivation)
    for _ in range(ROUND_TRIPS):
        table = renumbering.choose(free, rng)
        if table is None:
            return Refusal(reason=Reason.NO_VARIATION, detail="no other numbers make sense")
        rewritten = Rewritten(derivation, renumbering.computation, table)
        question = rewritten.question()
        if question is None:
            continue
        question, solution = rename(question, rewritten.solution(), rng)
        back = derive(question, solution, rewritten.answer)
        is_read = not isinstance(back, Refusal) and len(back.steps) == len(derivation.steps)
        if is_read and question != problem.question:
            return Draft(question=question, solution=solution, answer=rewritten.answer)
    return Refusal(reason=Reason.NO_VARIATION, detail="the new solution could not be read back")
