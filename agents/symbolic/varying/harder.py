"""Writes harder problems: with one further step on the answer, or with a second problem chained to the first.

`A tank holds 240 liters. ... How many minutes does it take both pumps to fill the tank?` can become `A tank
holds 230 liters. ... How many seconds does it take both pumps to fill the tank?`, or `... Let x be the number
of minutes it takes both pumps to fill the tank. Samantha strung x red beads on Monday ...`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.reckoner import Reckoner
from fdd.agents.symbolic.varying.chaining import chain
from fdd.agents.symbolic.varying.conversions import convert
from fdd.agents.symbolic.varying.extension import Extension, Setting
from fdd.agents.symbolic.varying.extensions import extend
from fdd.agents.symbolic.varying.renumbering import find_relations, renumber
from fdd.agents.symbolic.varying.slots import slots
from fdd.agents.symbolic.wording.asking import Asked, parse_asking
from fdd.agents.symbolic.wording.names import rename
from fdd.agents.symbolic.wording.retelling import Renewal
from fdd.amounts import CURRENCY
from fdd.domain import Draft, Problem, Reason, Refusal

CHAINED = 0.25
"""Share of the parents for which chaining is tried first."""
ROUND_TRIPS = 3
"""Number of attempts with other numbers. With some numbers the new solution can be read in several ways."""
PARTNERS = 6
"""Number of other problems that are tried as the second one of a chain."""


def harder(
    problem: Problem, derivation: Derivation, others: Sequence[Problem], rng: random.Random
) -> Draft | Refusal:
    """Write a problem with the parent's story, other numbers, and more steps than the parent.

    `derivation` is that of the parent `problem`, and `others` are problems that may be chained to it. Returns
    a Refusal with `Reason.NO_VARIATION` where no further step fits or the new numbers cannot be written.
    """
    partners = [other for other in others if other.id != problem.id]
    for _ in range(ROUND_TRIPS):
        renewal = _renew(derivation, rng)
        question = renewal.question()
        if question is None:
            return Refusal(reason=Reason.NO_VARIATION, detail="the new numbers cannot be written")
        for draft in _drafts(question, renewal, partners, rng):
            # Accept only what the embedded teacher can itself read and explain again.
            back = derive(draft.question, draft.solution, draft.answer)
            if not isinstance(back, Refusal) and len(back.steps) > len(derivation.steps):
                return draft
    return Refusal(reason=Reason.NO_VARIATION, detail="no further step fits")


def _renew(derivation: Derivation, rng: random.Random) -> Renewal:
    """Give the parent other numbers where possible; otherwise keep its own."""
    reckoner = Reckoner(derivation)
    free = slots(derivation)
    table = renumber(free, reckoner, find_relations(derivation, reckoner), rng) if free else None
    return Renewal(derivation, reckoner, reckoner.old if table is None else table)


def _drafts(
    question: str, renewal: Renewal, partners: Sequence[Problem], rng: random.Random
) -> Iterator[Draft]:
    asked = parse_asking(question, is_money=_is_money(renewal.derivation))
    chained = asked is not None and rng.random() < CHAINED
    if asked is not None and chained:
        yield from _chained(asked, renewal, partners, rng)
    yield from _converted(question, renewal, rng)
    if asked is not None:
        yield from _extended(asked, question, renewal, rng)
        if not chained:
            yield from _chained(asked, renewal, partners, rng)


def _is_money(derivation: Derivation) -> bool:
    """Whether the solution writes the answer with a currency sign."""
    return re.search(rf"=\s*{CURRENCY}|{CURRENCY}\s?[\d.,]+\W*$", derivation.steps[-1].text) is not None


def _converted(question: str, renewal: Renewal, rng: random.Random) -> Iterator[Draft]:
    for conversion in convert(" ".join(question.split()), renewal.answer, rng):
        text, solution = rename(conversion.question, f"{renewal.solution()}\n{conversion.line}", rng)
        yield Draft(question=text, solution=solution, answer=conversion.answer)


def _extended(asked: Asked, question: str, renewal: Renewal, rng: random.Random) -> Iterator[Draft]:
    currency = re.search(CURRENCY, question)
    setting = Setting(
        asked=asked,
        answer=renewal.answer,
        currency=currency[0] if currency else "$",
        taken=frozenset(Fraction(value) for value in renewal.table),
        text=question,
        rng=rng,
    )
    for extension in extend(setting):
        solution = "\n".join((renewal.solution(), *extension.lines))
        text, solution = rename(_ask(asked, extension), solution, rng)
        yield Draft(question=text, solution=solution, answer=extension.answer)


def _ask(asked: Asked, extension: Extension) -> str:
    opening, asking = asked.opening, extension.asking
    if asking.startswith("if ") and re.match(r"(?:if|assuming|given|suppos\w+) ", opening, re.IGNORECASE):
        opening = opening.rstrip(",") + " and"
    last = f"{opening} {asking}?".strip()
    parts = (asked.story, extension.fact, last[0].upper() + last[1:])
    return " ".join(part for part in parts if part)


@lru_cache(maxsize=1024)
def _derive_partner(problem: Problem) -> Derivation | Refusal:
    return derive(problem.question, problem.solution, problem.answer)


def _chained(
    asked: Asked, renewal: Renewal, partners: Sequence[Problem], rng: random.Random
) -> Iterator[Draft]:
    for partner in rng.sample(partners, min(PARTNERS, len(partners))):
        second = _derive_partner(partner)
        if not isinstance(second, Refusal) and partner.question.count("?") == 1:
            draft = chain(asked, renewal, second, rng)
            if draft is not None:
                yield draft
