"""Defines a derivation: the arithmetic steps of a worked solution, linked to the numbers of the question.

For `Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. ...` with
the solution `Natalia sold 48/2 = 24 clips in May. Natalia sold 48+24 = 72 clips ...` (read by `parse.derive`)

- quantities: 48 (DIGITS) and 1/2 (WORD)
- steps: `Given(0) / Constant(2)` with the value 24, named `clips_in_may`, and `Given(0) + Result(0)` with 72
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

Sign = Literal["+", "-", "*", "/"]

OPERATORS: Mapping[Sign, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}

MAX_BITS = 1000
"""Maximum size of a numerator or denominator in bits, about 300 digits; word problems need far less."""


class Form(StrEnum):
    """How a number is written in a question."""

    DIGITS = "digits"  # `48`, `1,200`, `2.50`
    WORD = "word"  # `three`, `twenty-one`, `a dozen`, `half`, `twice`
    PERCENT = "percent"  # `25%`, `25 percent`; the value is 25
    FRACTION = "fraction"  # `3/4`


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of the question, written at `question[start:end]`."""

    value: Fraction
    start: int
    end: int
    form: Form


@dataclass(frozen=True, slots=True)
class Given:
    """A reference to `Derivation.quantities[index]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Result:
    """A reference to the value of the earlier step `Derivation.steps[index]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that the solution uses without taking it from the question: 7 days a week, 100 per cent."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Operation:
    sign: Sign
    left: Expression
    right: Expression


Leaf = Given | Result | Constant
Expression = Leaf | Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the derivation: `name = expression`."""

    expression: Expression
    value: Fraction
    name: str  # a Python identifier for the value, taken from the text where possible (`clips_in_may`)
    text: str  # the sentence of the solution that contains the step, without calculator marks (`<<48/2=24>>`)


@dataclass(frozen=True, slots=True)
class Derivation:
    """Steps from the numbers of a question to its answer, which is the value of the last step."""

    question: str
    quantities: tuple[Quantity, ...]
    steps: tuple[Step, ...]

    @property
    def answer(self) -> Fraction:
        return self.steps[-1].value

    def leaves(self) -> Iterator[Leaf]:
        """Yield the operands of all steps, in order."""
        for step in self.steps:
            yield from leaves(step.expression)

    def constants(self) -> set[Fraction]:
        """Return the numbers that the steps bring in."""
        return {leaf.value for leaf in self.leaves() if isinstance(leaf, Constant)}


def evaluate(expression: Expression, givens: Sequence[Fraction], results: Sequence[Fraction]) -> Fraction:
    """Return the exact value of an expression, given the values of the quantities and of the steps.

    Raises ZeroDivisionError, or OverflowError where an intermediate value exceeds `MAX_BITS`; both are
    ArithmeticErrors.
    """
    match expression:
        case Given(index):
            return givens[index]
        case Result(index):
            return results[index]
        case Constant(value):
            return value
        case Operation(sign, left, right):
            value = OPERATORS[sign](evaluate(left, givens, results), evaluate(right, givens, results))
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
                raise OverflowError
            return value


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Yield the operands of an expression, from left to right."""
    if isinstance(expression, Operation):
        yield from leaves(expression.left)
        yield from leaves(expression.right)
    else:
        yield expression
