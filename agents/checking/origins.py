"""Finds the numbers that a rationale may use without computing them: its question gives or implies them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from fdd.agents.symbolic.derivation import Form, Quantity
from fdd.agents.symbolic.implied import IMPLIED, is_implied, is_relative
from fdd.agents.symbolic.numbers import find_quantities, scale_of
from fdd.agents.symbolic.reading.linking import CALENDAR, FAMILIAR, UNITS

_EVERYWHERE = FAMILIAR.difference(IMPLIED) | CALENDAR | {Fraction(100), Fraction(1000)}
"""Numbers that a step may use with any question."""
MOST_COUNTED = 12
"""Largest number that may be a count of what the question lists: `John and his three friends` are 4."""


@dataclass(frozen=True)
class Origins:
    """The numbers that one question gives and implies."""

    question: str

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        return find_quantities(self.question)

    @cached_property
    def given(self) -> frozenset[Fraction]:
        """The numbers that the question states, in every form that a step may use: 25% is 25, 0.25, 0.75, 4.

        Words such as `half` and `twice` count only if it states no other number.
        """
        stated = [quantity for quantity in self.quantities if not is_relative(self.question, quantity)]
        return frozenset(number for each in stated or self.quantities for number in self._views(each))

    @cached_property
    def known(self) -> frozenset[Fraction]:
        """All of `given`, and the numbers that words imply: 2 and 1/2 for `half`, 60 for hours."""
        return self._stated | self._implied

    @cached_property
    def _stated(self) -> frozenset[Fraction]:
        return frozenset(number for quantity in self.quantities for number in self._views(quantity))

    @cached_property
    def _implied(self) -> frozenset[Fraction]:
        return frozenset(Fraction(number) for number in IMPLIED if is_implied(self.question, number))

    def explains(self, number: Fraction) -> bool:
        """Whether it is obvious where the number comes from, such as 14 from the days of 2 weeks."""
        if number in self.known or number in _EVERYWHERE or may_count(number):
            return True
        units = UNITS & self._implied
        return any(number in (stated * unit, stated / unit) for stated in self._stated for unit in units)

    def _views(self, quantity: Quantity) -> Iterator[Fraction]:
        value = quantity.value
        yield value
        if quantity.form is Form.PERCENT:
            yield from percent_views(value)
        if value.denominator > 1:
            yield from (*map(Fraction, value.as_integer_ratio()), 1 - value, 1 + value)
        if value and (quantity.form is Form.PERCENT or value.denominator > 1):
            # A third of something is also a division by 3, and 25% a division by 4.
            yield (100 if quantity.form is Form.PERCENT else 1) / value
        if (scale := scale_of(self.question, quantity)) is not None:
            yield value * scale


def percent_views(percent: Fraction) -> tuple[Fraction, ...]:
    """A percentage as a share, and what is left or comes on top: 25 % off leaves 0.75 of a price."""
    share = percent / 100
    return share, 1 - share, 1 + share, 100 - percent, 100 + percent


def may_count(number: Fraction) -> bool:
    """Whether the number may be a count of what the question names, or of the sides of a shape in it."""
    return number.denominator == 1 and abs(number) <= MOST_COUNTED
