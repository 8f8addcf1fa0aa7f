"""Chooses new numbers such that a question's story and every step of its derivation stay sensible."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from fdd.agents.symbolic.computation import Computation, Number
from fdd.agents.symbolic.derivation import Derivation, Form, Given, Result, leaves
from fdd.agents.symbolic.implied import is_implied
from fdd.agents.symbolic.varying.slots import SUBSTANTIAL, Slot, likely_parts, units_of
from fdd.amounts import CURRENCY

TRIES = 40  # number of attempts; in the second half of them a random selection of the slots changes
MOST_HOURS = 16  # maximum number of hours that somebody may do something in a day
PIVOTS = 12  # number of values of one slot that are tried with each choice of the others

_DAYS = re.compile(r"\bdays?\b|daily|night|morning|shift")
_HUNDREDS = re.compile(r"%|percent|\bold\b|\bage\b")
_GRADES = re.compile(r"\b(?:test|exam|quiz|grade|score)\b")
_AGES = re.compile(r"(?i)\byears? old\b|\bages?\b|\bhow old\b")

Terms = tuple[tuple[int, int], ...]


class Renumbering:
    """Changes numbers of one derivation; numbers are indices of the computation's table."""

    def __init__(self, derivation: Derivation) -> None:
        self.computation = Computation(derivation)
        quantities, question = derivation.quantities, derivation.question
        units = [units_of(question, quantity) for quantity in quantities]
        values = self.computation.old[: self.computation.givens]
        pairs = [(i, j) for i, j in combinations(range(len(units)), 2) if units[i] & units[j]]
        self.ordered = [
            (i, j) if values[i] < values[j] else (j, i) for i, j in pairs if values[i] != values[j]
        ]
        """Pairs of numbers with the same unit; the first must be the smaller one."""
        self.equal = sorted(_indistinct(derivation, self.computation))
        """Pairs that must stay equal, because a step that uses one of them may have meant the other."""
        self.pinned = list(_mistakable(derivation, self.computation))
        """Results that must not change: they may have been meant as constants, like an hour's 60 minutes."""
        self.sums = list(_sums(values, units))
        """Groups of (sign, index) with the same unit that must add up to 0: `whole - one - other`."""
        percents = [i for i, quantity in enumerate(quantities) if quantity.form is Form.PERCENT]
        fractions = [i for i, value in enumerate(values) if value < 1 and i not in percents]
        self.shares = [
            group
            for group, whole in ((percents, 100), (fractions, 1))
            if len(group) > 1 and sum(values[i] for i in group) <= whole
        ]
        """Groups of percentages or fractions that together are at most one whole."""
        self.capped = list(_capped(derivation, self.computation))
        """Pairs of an index and the largest value allowed there, such as the hours of a day."""

    def choose(
        self, slots: Sequence[Slot], rng: random.Random, always: Slot | None = None
    ) -> list[Number] | None:
        """Return the table with new numbers in some slots, and in `always`; None if none fit."""
        for attempt in range(TRIES):
            chosen = list(slots) if attempt < TRIES // 2 else rng.sample(slots, rng.randint(1, len(slots)))
            if always is not None and always not in chosen:
                chosen.append(always)
            # All of them except one get random values; then values of that one are tried until one fits.
            pivot = rng.choice(chosen)
            givens = self.computation.old[: self.computation.givens]
            for slot in chosen:
                _fill(givens, slot, rng.choice(slot.candidates))
            for value in rng.sample(pivot.candidates, min(PIVOTS, len(pivot.candidates))):
                _fill(givens, pivot, value)
                table = self.computation.table(givens)
                if table is not None and self.computation.is_sensible(table) and self._fits(table):
                    return table
        return None

    def _fits(self, new: Sequence[Number]) -> bool:
        return (
            all(new[small] < new[large] for small, large in self.ordered)
            and self.is_distinct(new)
            and all(sum(sign * new[place] for sign, place in terms) == 0 for terms in self.sums)
            and all(self._is_share(group, new) for group in self.shares)
            and all(new[place] <= cap for place, cap in self.capped)
        )

    def is_distinct(self, new: Sequence[Number]) -> bool:
        """Whether the new table is right whichever of several equal numbers a step was linked to."""
        return all(new[first] == new[second] for first, second in self.equal) and all(
            new[place] == self.computation.old[place] for place in self.pinned
        )

    def _is_share(self, group: Sequence[int], new: Sequence[Number]) -> bool:
        before, after = (sum(table[place] for place in group) for table in (self.computation.old, new))
        whole = 1 if before <= 1 else 100
        return after == whole if before == whole else after < whole


def _fill(givens: list[Number], slot: Slot, value: Number) -> None:
    for member in slot.members:
        givens[member] = value


def _sums(values: Sequence[Number], units: Sequence[frozenset[str]]) -> Iterator[Terms]:
    """Yield groups of three or four numbers with a common unit that add up to 0 with suitable signs."""
    for size in (3, 4):
        for group in combinations(range(len(values)), size):
            if not frozenset.intersection(*(units[place] for place in group)):
                continue
            for signs in product((1, -1), repeat=size - 1):
                terms = ((1, group[0]), *zip(signs, group[1:], strict=True))
                if sum(sign * values[place] for sign, place in terms) == 0:
                    yield terms


def _capped(derivation: Derivation, computation: Computation) -> Iterator[tuple[int, int]]:
    """Yield limits for results within them now: 16 for hours a day; 100 for percentages, ages, grades."""
    question = derivation.question
    for step, place in zip(derivation.steps, computation.steps, strict=True):
        if step.value <= MOST_HOURS and _DAYS.search(question) and re.search(r"\bhours?\b", step.text):
            yield place, MOST_HOURS
        is_age = _AGES.search(question) and not re.search(CURRENCY, step.text)
        if step.value <= 100 and (is_age or _HUNDREDS.search(step.text) or _GRADES.search(question)):
            yield place, 100


def _indistinct(derivation: Derivation, computation: Computation) -> set[tuple[int, int]]:
    """Return pairs of equal numbers of which a step may mean either, or of which one is unused."""
    old = computation.old
    found: set[tuple[int, int]] = set()
    for index, step in enumerate(derivation.steps):
        earlier = [*range(computation.givens), *computation.steps[:index]]
        for leaf in leaves(step.expression):
            if isinstance(leaf, Given | Result):
                place = leaf.index if isinstance(leaf, Given) else computation.steps[leaf.index]
                same = (other for other in earlier if other != place and old[other] == old[place])
                found |= {(min(place, other), max(place, other)) for other in same}
    used = {place for places in computation.places for place in places}
    unused = [place for place in range(computation.givens) if place not in used and old[place] > SUBSTANTIAL]
    return found | {
        (index, place) for index in unused for place in computation.steps if old[place] == old[index]
    }


def _mistakable(derivation: Derivation, computation: Computation) -> Iterator[int]:
    """Yield results that may somewhere have been meant as a constant or as a part of a fraction."""
    parts = likely_parts(derivation)
    uses = Counter(leaf.index for leaf in derivation.leaves() if isinstance(leaf, Result))
    for index, count in uses.items():
        value = computation.old[computation.steps[index]]
        if value in parts or (count > 1 and is_implied(derivation.question, value)):
            yield computation.steps[index]
