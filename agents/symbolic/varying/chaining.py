"""Chains two problems: the answer of the first becomes a number of the second, through an unknown.

`A tank holds 240 liters. ... How many minutes does it take both pumps to fill the tank?` and `Sofia strung
36 red beads on Monday ...` become `A tank holds 240 liters. ... Let x be the number of minutes it takes both
pumps to fill the tank. Samantha strung x red beads on Monday ...`. The new solution is that of the first
problem, `So x = 12.`, and that of the second with 12 in place of 36.
"""

from __future__ import annotations

import random
import re
from fractions import Fraction

from fdd.agents.symbolic.derivation import Derivation, Form
from fdd.agents.symbolic.reckoner import Reckoner, normal
from fdd.agents.symbolic.varying.renumbering import Relations, find_relations, renumber
from fdd.agents.symbolic.varying.slots import Slot, slots
from fdd.agents.symbolic.wording.asking import Asked
from fdd.agents.symbolic.wording.names import rename
from fdd.agents.symbolic.wording.retelling import Renewal
from fdd.domain import Draft

_LETTERS = "xnkyzw"


def chain(asked: Asked, first: Renewal, second: Derivation, rng: random.Random) -> Draft | None:
    """Put the answer of the first problem in place of one number of the second question.

    `asked` is the first question, parsed. Returns None where no number of the second problem can take that
    value sensibly.
    """
    reckoner = Reckoner(second)
    relations = find_relations(second, reckoner)
    free = slots(second)
    for slot in rng.sample(free, len(free)):
        renewal = _with_value(first.answer, slot, free, second, reckoner, relations, rng)
        if renewal is not None:
            return _write(asked, first, renewal, slot.members[0], rng)
    return None


def _with_value(
    value: Fraction,
    slot: Slot,
    free: tuple[Slot, ...],
    second: Derivation,
    reckoner: Reckoner,
    relations: Relations,
    rng: random.Random,
) -> Renewal | None:
    quantity = second.quantities[slot.members[0]]
    old = quantity.value
    if len(slot.members) > 1 or quantity.form is not Form.DIGITS or not old / 3 <= value <= old * 3:
        return None
    if value.denominator > 1 or old.denominator > 1 or value < 3:
        return None
    # The other numbers of the second problem change as well, so that its steps stay sensible.
    fixed = Slot(slot.members, (normal(value),))
    others = [other for other in free if other is not slot]
    table = renumber([fixed, *others], reckoner, relations, rng, always=fixed)
    return None if table is None else Renewal(second, reckoner, table)


def _write(asked: Asked, first: Renewal, second: Renewal, place: int, rng: random.Random) -> Draft | None:
    letter = next(letter for letter in _LETTERS if not re.search(rf"\b{letter}\b", asked.story))
    setting = f"{asked.opening} let {letter} be {asked.named.phrase}.".strip()
    opening = f"{asked.story} {setting[0].upper()}{setting[1:]}".strip()
    question = second.question(hidden={place: letter})
    if question is None:
        return None
    question, solution = rename(question, second.solution(), rng, avoid=f"{opening} {first.solution()}")
    given = f"So {letter} = {first.answer}."
    return Draft(
        question=f"{opening} {question}",
        solution="\n".join((first.solution(), given, solution)),
        answer=second.answer,
    )
