"""Writes the expressions of a derivation in infix notation, with only the parentheses that are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Form, Given, Operation, Result
from fdd.agents.symbolic.numbers import decimal_places, write_plain

_ATOM, _PRODUCT, _SUM = 3, 2, 1
_ONE = Constant(Fraction(1))


def with_names(derivation: Derivation, names: Sequence[str]) -> Callable[[Expression], str]:
    """Return a function that writes steps by these names and every other operand as a number."""
    return _Writer(derivation, names).write


def with_values(derivation: Derivation) -> Callable[[Expression], str]:
    """Return a function that writes every operand, including steps, as a number: `48 / 2`."""
    return _Writer(derivation, [write_plain(step.value) for step in derivation.steps]).write


class _Writer:
    """Writes the expressions of one derivation, with these texts for its steps.

    Divisors are put at the end of a product, so that intermediate values stay whole as long as possible:
    `(25 / 100) * 28` becomes `25 * 28 / 100`, which is exactly 7 in floating point as well.
    """

    def __init__(self, derivation: Derivation, steps: Sequence[str]) -> None:
        self.derivation = derivation
        self.steps = steps

    def write(self, expression: Expression) -> str:
        return self._strong(self._numbers(expression))[0]

    def _numbers(self, expression: Expression) -> Expression:
        """Replace the quantities of the question by numbers, and fractions by divisions."""
        match expression:
            case Operation(sign, left, right):
                return Operation(sign, self._numbers(left), self._numbers(right))
            case Result():
                return expression
            case Given(index):
                quantity = self.derivation.quantities[index]
                value, split = quantity.value, quantity.form in {Form.FRACTION, Form.WORD}
            case Constant(value):
                split = False
        if value.denominator == 1 or (not split and decimal_places(value) is not None):
            return Constant(value)
        return Operation("/", Constant(Fraction(value.numerator)), Constant(Fraction(value.denominator)))

    def _strong(self, expression: Expression) -> tuple[str, int]:
        """Return the text and its binding strength: `_ATOM`, `_PRODUCT` or `_SUM`."""
        match expression:
            case Operation("+" | "-" as sign, left, right):
                # `a + (b - c)` equals `a + b - c`; after a minus the parentheses matter.
                bare = sign == "+" and isinstance(right, Operation)
                return f"{self._strong(left)[0]} {sign} {self._factor(right, 0 if bare else _PRODUCT)}", _SUM
            case Operation():
                above, below = _factors(expression)
                text = " * ".join(self._factor(factor, _PRODUCT) for factor in above)
                return text + "".join(f" / {self._factor(each, _ATOM)}" for each in below), _PRODUCT
            case Result(index):
                text = self.steps[index]
                return text, _ATOM if text[0] != "-" and "/" not in text else _SUM
            case Constant(value):
                return write_plain(value), _SUM if value < 0 else _ATOM
            case Given():
                raise AssertionError("a quantity is written as a number")

    def _factor(self, expression: Expression, needed: int) -> str:
        text, strength = self._strong(expression)
        return text if strength >= needed else f"({text})"


def _factors(expression: Expression) -> tuple[list[Expression], list[Expression]]:
    """Return the factors and the divisors of a chain of products, each in the order written."""
    if not isinstance(expression, Operation) or expression.sign in "+-":
        return [expression], []
    above, below = _factors(expression.left)
    if expression.sign == "/":
        return above, [*below, expression.right]
    more, less = _factors(expression.right)
    above = [factor for factor in above + more if factor != _ONE or not less + below]
    return above or [_ONE], below + less
