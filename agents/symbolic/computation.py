"""Recomputes a derivation with other numbers and judges whether the results are as sensible as before.

For the steps 48 / 2 = 24 and 48 + 24 = 72 the table is `[48, 1/2, 2, 24, 72]`: the numbers of the question
(48 and `half`), the constant 2, and the two operations. With 60 in place of 48 it is `[60, 1/2, 2, 30, 90]`,
which is sensible. With 49 it is not, because 49 / 2 is not whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Given, Result, Sign
from fdd.agents.symbolic.numbers import decimal_places

Number = int | Fraction
"""An exact value. Whole numbers are int, because arithmetic with int is many times faster."""


def normal(value: Number) -> Number:
    """Return the value, as an int if it is whole."""
    return value.numerator if value.denominator == 1 else value


class Computation:
    """A derivation as a flat table: the question's numbers, the constants, the value of each operation."""

    def __init__(self, derivation: Derivation) -> None:
        self.givens = len(derivation.quantities)
        found = (leaf.value for leaf in derivation.leaves() if isinstance(leaf, Constant))
        self._constants = list(dict.fromkeys(map(normal, found)))
        self._operations: list[tuple[Sign, int, int]] = []
        """Each with the indices of its operands in the table."""
        self.steps: list[int] = []  # index in the table of the value of each step
        self.places: list[list[int]] = []  # for each step, the indices of everything that it uses or computes
        for step in derivation.steps:
            self.places.append([])
            self.steps.append(self._place(step.expression))
        self.old = self.table([normal(quantity.value) for quantity in derivation.quantities]) or []
        """The table with the question's own numbers."""

    def _place(self, expression: Expression) -> int:
        match expression:
            case Given(place):
                pass
            case Result(index):
                place = self.steps[index]
            case Constant(value):
                place = self.givens + self._constants.index(normal(value))
            case _:
                operands = self._place(expression.left), self._place(expression.right)
                place = self.givens + len(self._constants) + len(self._operations)
                self._operations.append((expression.sign, *operands))
        self.places[-1].append(place)
        return place

    def table(self, givens: Sequence[Number]) -> list[Number] | None:
        """Return the table for these numbers of the question; None where a step divides by zero."""
        values = [*givens, *self._constants]
        for sign, one, other in self._operations:
            left, right = values[one], values[other]
            if sign == "+":
                values.append(left + right)
            elif sign == "-":
                values.append(left - right)
            elif sign == "*":
                values.append(left * right)
            elif right == 0:
                return None
            else:
                quotient, rest = divmod(left, right)
                values.append(Fraction(left) / right if rest else quotient)
        return values

    def is_sensible(self, table: Sequence[Number]) -> bool:
        """Whether every operation's value is of the same kind as with the question's own numbers."""
        first = self.givens + len(self._constants)
        return all(map(_same_kind, self.old[first:], table[first:]))


def _same_kind(old: Number, new: Number) -> bool:
    """Whether a new value is as sensible as the old one: for example 30 for 24, but not 150 or 5/2.

    A value that is not positive must not change. A whole value stays whole and, if above 1, stays above 1 and
    within a factor of 5. A fraction stays on its side of 1 and gets no more decimals.
    """
    if old <= 0 or new <= 0:
        return old == new
    if old.denominator == 1:
        if new.denominator > 1:
            return False
        return (new > 1 and old <= 5 * new and new <= 5 * old) if old > 1 else new < 10
    if (old < 1) != (new < 1):
        return False
    before, after = decimal_places(Fraction(old)), decimal_places(Fraction(new))
    return before is None or (after is not None and after <= before)
