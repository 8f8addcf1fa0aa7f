"""Recomputes a derivation with other numbers and judges whether the results are as sensible as before.

For the steps 48 / 2 = 24 and 48 + 24 = 72 the table is `[48, 1/2, 2, 24, 72]`: the numbers of the question
(48 and `half`), the constant 2, and the two operations. With 60 in place of 48 it is `[60, 1/2, 2, 30, 90]`,
which is sensible. With 49 it is not, because 49 / 2 is not whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Given, Result, Sign, leaves
from fdd.agents.symbolic.numbers import decimal_places

Number = int | Fraction
"""An exact value. Whole numbers are int, because arithmetic with int is many times faster."""


def normal(value: Number) -> Number:
    """Return the value, as an int if it is whole."""
    return value.numerator if value.denominator == 1 else value


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Its operands are indices of the table."""

    sign: Sign
    left: int
    right: int


class Reckoner:
    """A derivation as a flat table: the question's numbers, the constants, the value of each operation."""

    def __init__(self, derivation: Derivation) -> None:
        self._expressions: list[Expression] = [step.expression for step in derivation.steps]
        givens = [normal(quantity.value) for quantity in derivation.quantities]
        self.givens = len(givens)
        found = (leaf for expression in self._expressions for leaf in leaves(expression))
        self._constants = list(dict.fromkeys(normal(c.value) for c in found if isinstance(c, Constant)))
        self.nodes: list[Node] = []
        self.steps: list[int] = []
        """Index in the table of the value of each step."""
        self.places: list[list[int]] = []
        """For each step, the indices of everything that it uses or computes."""
        for expression in self._expressions:
            self.places.append([])
            self.steps.append(self._place(expression))
        self.old = self.table(givens) or []
        """The table with the question's own numbers."""

    def _place(self, expression: Expression) -> int:
        if isinstance(expression, Given):
            place = expression.index
        elif isinstance(expression, Result):
            place = self.steps[expression.index]
        elif isinstance(expression, Constant):
            place = self.givens + self._constants.index(normal(expression.value))
        else:
            self.nodes.append(
                Node(expression.sign, self._place(expression.left), self._place(expression.right))
            )
            place = self.first_node + len(self.nodes) - 1
        self.places[-1].append(place)
        return place

    @property
    def first_node(self) -> int:
        """Index in the table of the first operation."""
        return self.givens + len(self._constants)

    def table(self, givens: Sequence[Number]) -> list[Number] | None:
        """Return the table for these numbers of the question; None where a step divides by zero."""
        values = [*givens, *self._constants]
        for node in self.nodes:
            left, right = values[node.left], values[node.right]
            if node.sign == "+":
                values.append(left + right)
            elif node.sign == "-":
                values.append(left - right)
            elif node.sign == "*":
                values.append(left * right)
            elif right == 0:
                return None
            else:
                values.append(_divide(left, right))
        return values

    def is_sensible(self, table: Sequence[Number]) -> bool:
        """Whether every operation's value is of the same kind as with the question's own numbers."""
        first = self.first_node
        return all(map(_same_kind, self.old[first:], table[first:]))


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return normal(Fraction(left) / right)


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
