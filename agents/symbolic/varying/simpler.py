"""Writes simpler problems: a part of the parent's derivation, with a question of its own.

`A bottle of lemonade is 6 mLs. Mike drinks 5 bottles. If it has 10 calories per mL, how many calories did he
consume?` can become `A bottle of lemonade is 3 mLs. Harry drinks 2 bottles. How many mLs did Harry drink?`
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from fdd.agents.symbolic.derivation import Derivation, Result, leaves
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.similar import similar
from fdd.agents.symbolic.wording.keypoints import NOTHING_TOLD, read_keypoints, with_name
from fdd.agents.symbolic.wording.questioning import question_of
from fdd.domain import Draft, Problem, Reason, Refusal


def simpler(problem: Problem, derivation: Derivation, rng: random.Random) -> Draft | Refusal:
    """Write a problem that asks for an earlier step of the parent, with other numbers where they may change.

    Later steps come first, so that the part is as large as possible. Returns a Refusal with
    `Reason.NO_VARIATION` where there is only one step, or where no step can be asked for in plain words.
    """
    varied = similar(problem, derivation, rng)
    if isinstance(varied, Draft):
        read = derive(varied.question, varied.solution, varied.answer)
        derivation = read if isinstance(read, Derivation) else derivation
    for last in reversed(range(len(derivation.steps) - 1)):
        if draft := _part(derivation, last):
            return draft
    return Refusal(reason=Reason.NO_VARIATION, detail="no part of it can be asked for")


def _part(derivation: Derivation, last: int) -> Draft | None:
    """Returns the problem that ends with this step; None where it cannot be read back as that part."""
    step = derivation.steps[last]
    asked = question_of(step, derivation.question)
    if not asked:
        return None
    needed = sorted(_needed(derivation, last))
    part = Derivation(derivation.question, derivation.quantities, tuple(derivation.steps[i] for i in needed))
    facts = read_keypoints(part).facts
    if facts == (NOTHING_TOLD,):
        return None
    question = f"{' '.join(facts)} {with_name(asked, derivation.question)}"
    solution = "\n".join(dict.fromkeys(derivation.steps[i].text for i in needed))
    back = derive(question, solution, step.value)
    if isinstance(back, Refusal) or len(back.steps) != len(needed):
        return None
    return Draft(question=question, solution=solution, answer=step.value)


def _needed(derivation: Derivation, last: int) -> Iterator[int]:
    """Yields the indices of a step and of every step that it depends on, once each."""
    found = [last]
    for index in found:  # grows while it is read
        yield index
        used = {leaf.index for leaf in leaves(derivation.steps[index].expression) if isinstance(leaf, Result)}
        found += sorted(used - set(found))
