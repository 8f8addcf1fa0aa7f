"""Writes harder problems: with a further step on the answer, or a second problem chained to the first."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from fdd.agents.symbolic.computation import Computation, normal
from fdd.agents.symbolic.derivation import Derivation, Form
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.further_steps import Setting, convert, extend
from fdd.agents.symbolic.varying.renumbering import Renumbering
from fdd.agents.symbolic.varying.similar import ROUND_TRIPS
from fdd.agents.symbolic.varying.slots import Slot, slots
from fdd.agents.symbolic.wording.asking import Asked, parse_asking
from fdd.agents.symbolic.wording.first_names import rename
from fdd.agents.symbolic.wording.rewriting import Rewritten
from fdd.amounts import CURRENCY
from fdd.domain import Draft, Problem, Reason, Refusal

CHAINED = 0.25  # share of the parents for which chaining is tried first
PARTNERS = 6  # number of other problems that are tried as the second one of a chain
_LETTERS = "xnkyzw"


def harder(
    problem: Problem, derivation: Derivation, others: Sequence[Problem], rng: random.Random
) -> Draft | Refusal:
    """Write a problem with the parent's story, other numbers, and more steps than the parent.

    `derivation` is that of the parent `problem`, and `others` are problems that may be chained to it. Returns
    a Refusal with `Reason.NO_VARIATION` where no further step fits or the new numbers cannot be written.
    """
    partners = [other for other in others if other.id != problem.id]
    free = slots(derivation)
    renumbering = Renumbering(derivation) if free else None
    computation = renumbering.computation if renumbering else Computation(derivation)
    for _ in range(ROUND_TRIPS):
        # Other numbers where possible; otherwise the parent keeps its own.
        table = renumbering.choose(free, rng) if renumbering else None
        rewritten = Rewritten(derivation, computation, table or computation.old)
        question = rewritten.question()
        if question is None:
            return Refusal(reason=Reason.NO_VARIATION, detail="the new numbers cannot be written")
        for draft in _drafts(question, rewritten, partners, rng):
            # Accept only what the embedded teacher can itself read and explain again.
            back = derive(draft.question, draft.solution, draft.answer)
            if not isinstance(back, Refusal) and len(back.steps) > len(derivation.steps):
                return draft
    return Refusal(reason=Reason.NO_VARIATION, detail="no further step fits")


def _drafts(
    question: str, rewritten: Rewritten, partners: Sequence[Problem], rng: random.Random
) -> Iterator[Draft]:
    # The answer is money where the solution writes it with a currency sign.
    last = rewritten.derivation.steps[-1].text
    is_money = re.search(rf"=\s*{CURRENCY}|{CURRENCY}\s?[\d.,]+\W*$", last) is not None
    asked = parse_asking(question, is_money=is_money)
    chained = asked is not None and rng.random() < CHAINED
    if asked is not None and chained:
        yield from _chained(asked, rewritten, partners, rng)
    for asking, line, answer in convert(" ".join(question.split()), rewritten.answer, rng):
        text, solution = rename(asking, f"{rewritten.solution()}\n{line}", rng)
        yield Draft(question=text, solution=solution, answer=answer)
    if asked is not None:
        yield from _extended(asked, question, rewritten, rng)
        if not chained:
            yield from _chained(asked, rewritten, partners, rng)


def _extended(asked: Asked, question: str, rewritten: Rewritten, rng: random.Random) -> Iterator[Draft]:
    currency = re.search(CURRENCY, question)
    setting = Setting(
        asked=asked,
        answer=rewritten.answer,
        currency=currency[0] if currency else "$",
        taken=frozenset(Fraction(value) for value in rewritten.table),
        text=question,
        rng=rng,
    )
    for extension in extend(setting):
        opening = asked.opening
        conditional = re.match(r"(?:if|assuming|given|suppos\w+) ", opening, re.IGNORECASE)
        if conditional and extension.asking.startswith("if "):
            opening = opening.rstrip(",") + " and"
        last = f"{opening} {extension.asking}?".strip()
        parts = filter(None, (asked.story, extension.fact, last[0].upper() + last[1:]))
        solution = "\n".join((rewritten.solution(), *extension.lines))
        text, solution = rename(" ".join(parts), solution, rng)
        yield Draft(question=text, solution=solution, answer=extension.answer)


@lru_cache(maxsize=1024)
def _derive_partner(problem: Problem) -> Derivation | Refusal:
    return derive(problem.question, problem.solution, problem.answer)


def _chained(
    asked: Asked, first: Rewritten, partners: Sequence[Problem], rng: random.Random
) -> Iterator[Draft]:
    """Put the answer of the first problem, whose question is `asked`, in place of one number of another."""
    for partner in rng.sample(partners, min(PARTNERS, len(partners))):
        second = _derive_partner(partner)
        if isinstance(second, Refusal) or partner.question.count("?") != 1:
            continue
        renumbering, free = Renumbering(second), slots(second)
        tried = (
            (slot.members[0], _with_value(first.answer, slot, free, second, renumbering, rng))
            for slot in rng.sample(free, len(free))
        )
        place, rewritten = next((each for each in tried if each[1] is not None), (0, None))
        letter = next(letter for letter in _LETTERS if not re.search(rf"\b{letter}\b", asked.story))
        question = rewritten.question(hidden={place: letter}) if rewritten else None
        if rewritten is None or question is None:
            continue
        setting = f"{asked.opening} let {letter} be {asked.named.phrase}.".strip()
        opening = f"{asked.story} {setting[0].upper()}{setting[1:]}".strip()
        told = first.solution()
        question, solution = rename(question, rewritten.solution(), rng, avoid=f"{opening} {told}")
        yield Draft(
            question=f"{opening} {question}",
            solution="\n".join((told, f"So {letter} = {first.answer}.", solution)),
            answer=rewritten.answer,
        )


def _with_value(
    value: Fraction,
    slot: Slot,
    free: Sequence[Slot],
    second: Derivation,
    renumbering: Renumbering,
    rng: random.Random,
) -> Rewritten | None:
    """Return the second problem with this value in the slot; None where it cannot sensibly stand there."""
    quantity = second.quantities[slot.members[0]]
    old = quantity.value
    if len(slot.members) > 1 or quantity.form is not Form.DIGITS or not old / 3 <= value <= old * 3:
        return None
    if value.denominator > 1 or old.denominator > 1 or value < 3:
        return None
    # The other numbers of the second problem change as well, so that its steps stay sensible.
    fixed = Slot(slot.members, (normal(value),))
    others = [other for other in free if other is not slot]
    table = renumbering.choose([fixed, *others], rng, always=fixed)
    return None if table is None else Rewritten(second, renumbering.computation, table)
