"""Chooses new numbers for a question such that its story and every step of its derivation stay sensible.

`Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. ...` can get
62 in place of 48: then the steps give 31 and 93. In `Pump A brings 12 liters a minute and pump B brings 8
liters a minute` pump A stays the faster one.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

from fdd.agents.symbolic.derivation import Derivation, Form, Given, Result, leaves
from fdd.agents.symbolic.implied import is_implied
from fdd.agents.symbolic.reckoner import Number, Reckoner
from fdd.agents.symbolic.varying.fixed import units_of
from fdd.agents.symbolic.varying.slots import SUBSTANTIAL, Slot, likely_parts
from fdd.amounts import CURRENCY

TRIES = 40
"""Number of attempts; in the second half of them a random selection of the slots changes."""
MOST_HOURS = 16
"""Maximum number of hours that somebody may do something in a day."""
PIVOTS = 12
"""Number of values of one slot that are tried with each choice of the others."""


_DAYS = re.compile(r"\bdays?\b|daily|night|morning|shift")
_HUNDREDS = re.compile(r"%|percent|\bold\b|\bage\b")
_GRADES = re.compile(r"\b(?:test|exam|quiz|grade|score)\b")
_AGES = re.compile(r"\byears? old\b|\bages?\b|\bhow old\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Relations:
    """Constraints on the numbers besides the derivation; numbers are indices of the reckoner's table."""

    ordered: tuple[tuple[int, int], ...]
    """Pairs of numbers with the same unit; the first must be the smaller one."""
    equal: tuple[tuple[int, int], ...]
    """Pairs that must stay equal, because a step that uses one of them may have meant the other."""
    pinned: tuple[int, ...]
    """Results that must not change: they may have been meant as constants, like the 60 minutes of an hour."""
    sums: tuple[tuple[tuple[int, int], ...], ...]
    """Groups of (sign, index) with the same unit that must add up to 0: `whole - one - other`."""
    shares: tuple[tuple[int, ...], ...]
    """Groups of percentages or fractions that together are at most one whole."""
    capped: tuple[tuple[int, int], ...]
    """Pairs of an index and the largest value allowed there, such as the hours of a day."""

    def hold(self, old: Sequence[Number], new: Sequence[Number]) -> bool:
        return (
            all(new[small] < new[large] for small, large in self.ordered)
            and self.distinct(old, new)
            and all(sum(sign * new[place] for sign, place in terms) == 0 for terms in self.sums)
            and all(_fits(group, old, new) for group in self.shares)
            and all(new[place] <= cap for place, cap in self.capped)
        )

    def distinct(self, old: Sequence[Number], new: Sequence[Number]) -> bool:
        """Whether the new table is right whichever of several equal numbers a step was linked to."""
        return all(new[first] == new[second] for first, second in self.equal) and all(
            new[place] == old[place] for place in self.pinned
        )


def _fits(group: tuple[int, ...], old: Sequence[Number], new: Sequence[Number]) -> bool:
    before = sum(old[place] for place in group)
    after = sum(new[place] for place in group)
    whole = 1 if before <= 1 else 100
    return after == whole if before == whole else after < whole


def find_relations(derivation: Derivation, reckoner: Reckoner) -> Relations:
    quantities, question = derivation.quantities, derivation.question
    units = [units_of(question, quantity) for quantity in quantities]
    pairs = [(i, j) for i, j in combinations(range(len(units)), 2) if units[i] & units[j]]
    values = [quantity.value for quantity in quantities]
    ordered = [(i, j) if values[i] < values[j] else (j, i) for i, j in pairs if values[i] != values[j]]
    percents = tuple(i for i, quantity in enumerate(quantities) if quantity.form is Form.PERCENT)
    fractions = tuple(
        i for i, value in enumerate(values) if value < 1 and quantities[i].form is not Form.PERCENT
    )
    shares = [
        group
        for group, whole in ((percents, 100), (fractions, 1))
        if len(group) > 1 and sum(values[i] for i in group) <= whole
    ]
    return Relations(
        tuple(ordered),
        tuple(_indistinct(derivation, reckoner)),
        tuple(_mistakable(derivation, reckoner)),
        tuple(_sums(values, units)),
        tuple(shares),
        tuple(_capped(derivation, reckoner)),
    )


def _sums(
    values: Sequence[Fraction], units: Sequence[frozenset[str]]
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield groups of three or four numbers with a common unit that add up to 0 with suitable signs."""
    for size in (3, 4):
        for group in combinations(range(len(values)), size):
            if not frozenset.intersection(*(units[place] for place in group)):
                continue
            for signs in product((1, -1), repeat=size - 1):
                terms = ((1, group[0]), *zip(signs, group[1:], strict=True))
                if sum(sign * values[place] for sign, place in terms) == 0:
                    yield terms


def _capped(derivation: Derivation, reckoner: Reckoner) -> Iterator[tuple[int, int]]:
    """Yield limits for results within them now: 16 for hours a day; 100 for percentages, ages, grades."""
    question = derivation.question
    for step, place in zip(derivation.steps, reckoner.steps, strict=True):
        if step.value <= MOST_HOURS and _DAYS.search(question) and re.search(r"\bhours?\b", step.text):
            yield place, MOST_HOURS
        in_hundreds = _HUNDREDS.search(step.text) or _GRADES.search(question)
        if step.value <= 100 and (
            in_hundreds or (_AGES.search(question) and not re.search(CURRENCY, step.text))
        ):
            yield place, 100


def _indistinct(derivation: Derivation, reckoner: Reckoner) -> list[tuple[int, int]]:
    """Return pairs of an operand and another number of the same value that its step may have meant."""
    found = set()
    for index, step in enumerate(derivation.steps):
        for leaf in leaves(step.expression):
            if not isinstance(leaf, Given | Result):
                continue
            place = leaf.index if isinstance(leaf, Given) else reckoner.steps[leaf.index]
            earlier = [*range(reckoner.givens), *reckoner.steps[:index]]
            found |= {
                (min(place, other), max(place, other))
                for other in earlier
                if other != place and reckoner.old[other] == reckoner.old[place]
            }
    return sorted(found | set(_restated(derivation, reckoner)))


def _mistakable(derivation: Derivation, reckoner: Reckoner) -> Iterator[int]:
    """Yield results that may somewhere have been meant as a constant or as a part of a fraction."""
    found = (leaf for step in derivation.steps for leaf in leaves(step.expression))
    parts = likely_parts(derivation)
    uses = Counter(leaf.index for leaf in found if isinstance(leaf, Result))
    for index, count in uses.items():
        value = reckoner.old[reckoner.steps[index]]
        if value in parts or (count > 1 and is_implied(derivation.question, value)):
            yield reckoner.steps[index]


def _restated(derivation: Derivation, reckoner: Reckoner) -> Iterator[tuple[int, int]]:
    """Yield pairs of an unused number and the result that it repeats: `for his 35 liters`."""
    used = {place for places in reckoner.places for place in places}
    for index in range(len(derivation.quantities)):
        if index not in used and reckoner.old[index] > SUBSTANTIAL:
            yield from (
                (index, place) for place in reckoner.steps if reckoner.old[place] == reckoner.old[index]
            )


def renumber(
    slots: Sequence[Slot],
    reckoner: Reckoner,
    relations: Relations,
    rng: random.Random,
    always: Slot | None = None,
) -> list[Number] | None:
    """Return the reckoner's table with new numbers in the slots; None where no sensible one was found.

    Not every slot must change. If `always` is given, that slot does.
    """
    for attempt in range(TRIES):
        chosen = list(slots) if attempt < TRIES // 2 else rng.sample(slots, rng.randint(1, len(slots)))
        if always is not None and always not in chosen:
            chosen.append(always)
        table = _vary(chosen, reckoner, relations, rng)
        if table is not None:
            return table
    return None


def _vary(
    chosen: Sequence[Slot], reckoner: Reckoner, relations: Relations, rng: random.Random
) -> list[Number] | None:
    """Choose all slots except one at random, then look for a value of that one which fits."""
    pivot = rng.choice(chosen)
    givens = reckoner.old[: reckoner.givens]
    for slot in chosen:
        _fill(givens, slot, rng.choice(slot.candidates))
    for value in rng.sample(pivot.candidates, min(PIVOTS, len(pivot.candidates))):
        _fill(givens, pivot, value)
        table = reckoner.table(givens)
        if table is not None and reckoner.is_sensible(table) and relations.hold(reckoner.old, table):
            return table
    return None


def _fill(givens: list[Number], slot: Slot, value: Number) -> None:
    for member in slot.members:
        givens[member] = value
