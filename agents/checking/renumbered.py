"""Changes the numbers of a question: correct steps must give the answer that follows from the new ones."""

from __future__ import annotations

import operator
import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from fdd.agents.checking.origins import percent_views
from fdd.agents.symbolic.computation import Number
from fdd.agents.symbolic.derivation import Derivation, Form, Given, Quantity
from fdd.agents.symbolic.numbers import scale_of, write_plain
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.renumbering import Renumbering
from fdd.agents.symbolic.varying.slots import slots
from fdd.domain import Problem, Refusal

CHECKS = 2
"""Number of sets of numbers with which a rationale is tried."""


@dataclass(frozen=True, kw_only=True)
class Renumbered:
    """A question with other numbers, and the answer that follows from its own derivation."""

    derivation: Derivation
    table: tuple[Number, ...]
    """The question's new numbers, in the order of the derivation's quantities."""
    answer: Fraction

    def changes(self, numbers: Collection[Fraction]) -> Mapping[Fraction, Fraction] | None:
        """Map those of a rationale's numbers that change to their new values; None if these are unknown.

        A rationale may write a number of the question in several ways, such as 25% as 25, 0.25 or 0.75. A
        number that it does not write may be part of a constant, unless the derivation has that constant too.
        """
        found: dict[Fraction, Fraction] = {}
        unchanged = {quantity.value for quantity, new in self._pairs() if quantity.value == new}
        fixed = self.derivation.constants() | unchanged | self._parts
        explained = self.derivation.constants().union(each.value for each in self.derivation.quantities)
        for quantity, new in self._pairs():
            if quantity.value == new:
                continue
            views = dict(self._views(quantity, new))
            written = views.keys() & numbers
            # A share may be written without its number, such as 25% as `/ 4`.
            is_share = quantity.form is Form.PERCENT or quantity.value.denominator > 1
            if not written and (is_share or not explained.issuperset(numbers)):
                return None
            # A number that also stands for something unchanged, or for two different new ones, is ambiguous.
            for view in written:
                if view in fixed or found.setdefault(view, views[view]) != views[view]:
                    return None
        return found

    def recompute(self, text: str) -> Fraction | None:
        """The new result of a text that writes its operations with their results; None if it is unknown."""
        question, quantities = self.derivation.question, self.derivation.quantities
        read = derive(question, text, self.derivation.answer)
        if isinstance(read, Refusal) or read.quantities != quantities:
            return None
        renumbering = Renumbering(read)
        computation = renumbering.computation
        table = computation.table(self.table)
        if table is None or not renumbering.is_distinct(table):
            return None
        changed = {old for old, new in zip(computation.old, table, strict=True) if old != new}
        brought = read.constants()
        # A changed number that is also a constant of the text could be meant as either.
        if changed & (brought | self._parts):
            return None
        # A number that the text does not use may be hidden in a constant of its own.
        missed = self._changed(self.derivation) - self._changed(read)
        if missed and not brought <= self.derivation.constants():
            return None
        return Fraction(table[computation.steps[-1]])

    def __str__(self) -> str:
        changed = {write_plain(old.value): write_plain(new) for old, new in self._pairs() if old.value != new}
        return ", ".join(f"{new} for {old}" for old, new in changed.items()) + " in the question"

    @property
    def _parts(self) -> set[Fraction]:
        """The numerators and denominators of the question's fractions: 2 and 5 for 2/5."""
        values = [quantity.value for quantity in self.derivation.quantities]
        return {
            Fraction(part) for value in values if value.denominator > 1 for part in value.as_integer_ratio()
        }

    def _changed(self, derivation: Derivation) -> set[int]:
        """The indices of the question's numbers that change and that this derivation uses."""
        return {
            leaf.index
            for leaf in derivation.leaves()
            if isinstance(leaf, Given)
            and self.derivation.quantities[leaf.index].value != self.table[leaf.index]
        }

    def _pairs(self) -> Iterator[tuple[Quantity, Fraction]]:
        yield from zip(self.derivation.quantities, map(Fraction, self.table), strict=True)

    def _views(self, quantity: Quantity, new: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        old = quantity.value
        yield old, new
        if quantity.form is Form.PERCENT:
            yield from zip(percent_views(old), percent_views(new), strict=True)
        if (scale := scale_of(self.derivation.question, quantity)) is not None:
            yield old * scale, new * scale


def _fits(old: Sequence[Number], new: Sequence[Number]) -> bool:
    """Whether every number that was the sum or product of two others still is."""
    places: defaultdict[Number, list[int]] = defaultdict(list)
    for place, value in enumerate(old):
        places[value].append(place)
    return all(
        compute(new[one], new[other]) == new[place]
        for one, other in combinations(range(len(old)), 2)
        for compute in (operator.add, operator.mul)
        for place in places.get(compute(old[one], old[other]), ())
        if place not in (one, other)
    )


def renumberings(problem: Problem) -> Iterator[Renumbered]:
    """Yield the question with other numbers, the same ones on each call; nothing without a derivation.

    First all numbers that may change do so, `CHECKS` times, then each of them alone. Some questions give
    redundant numbers (`12 of the 30 are boys, 18 are girls`), and a rationale may use any of them, so the new
    numbers must be consistent as well.
    """
    derivation = derive(problem.question, problem.solution, problem.answer)
    if isinstance(derivation, Refusal) or not (free := slots(derivation)):
        return
    renumbering = Renumbering(derivation)
    computation = renumbering.computation
    # Seeded with the problem, so that every check of a rationale uses the same numbers.
    rng = random.Random(problem.id)
    for chosen in (*[free] * CHECKS, *([slot] for slot in free)):
        table = renumbering.choose(chosen, rng)
        if table is not None and _fits(computation.old[: computation.givens], table):
            yield Renumbered(
                derivation=derivation,
                table=tuple(table[: computation.givens]),
                answer=Fraction(table[computation.steps[-1]]),
            )
