"""Writes similar problems: the parent's story and derivation with new numbers and new names.

`Sofia strung 36 red beads on Monday and three times as many blue beads on Tuesday. ...` (answer 144) can
become `Helen strung 23 red beads on Monday and three times as many blue beads on Tuesday. ...` (answer 92).
"""

from __future__ import annotations

import random

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.reckoner import Reckoner
from fdd.agents.symbolic.varying.renumbering import find_relations, renumber
from fdd.agents.symbolic.varying.slots import slots
from fdd.agents.symbolic.wording.names import rename
from fdd.agents.symbolic.wording.retelling import Renewal
from fdd.domain import Draft, Problem, Reason, Refusal

ROUND_TRIPS = 3
"""Number of attempts with other numbers before the parent is refused."""


def similar(problem: Problem, derivation: Derivation, rng: random.Random) -> Draft | Refusal:
    """Write a problem of the same structure with other numbers.

    `derive` can read its solution, in as many steps as the parent has. Returns a Refusal with
    `Reason.NO_VARIATION` where no number may change or no change makes sense.
    """
    free = slots(derivation)
    if not free:
        return Refusal(reason=Reason.NO_VARIATION, detail="no number of the question may change")
    reckoner = Reckoner(derivation)
    relations = find_relations(derivation, reckoner)
    for _ in range(ROUND_TRIPS):
        table = renumber(free, reckoner, relations, rng)
        if table is None:
            return Refusal(reason=Reason.NO_VARIATION, detail="no other numbers make sense")
        draft = _write(Renewal(derivation, reckoner, table), rng)
        if draft is not None and draft.question != problem.question:
            return draft
    return Refusal(reason=Reason.NO_VARIATION, detail="the new solution could not be read back")


def _write(renewal: Renewal, rng: random.Random) -> Draft | None:
    question = renewal.question()
    if question is None:
        return None
    question, solution = rename(question, renewal.solution(), rng)
    back = derive(question, solution, renewal.answer)
    if isinstance(back, Refusal) or len(back.steps) != len(renewal.derivation.steps):
        return None
    return Draft(question=question, solution=solution, answer=renewal.answer)
