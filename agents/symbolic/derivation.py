"""A derivation: the arithmetic steps of a worked solution, tied to the numbers that stand in the question."""

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
"""Of numerators and denominators; what is longer than these 300 digits is no quantity of a word problem."""


class Form(StrEnum):
    """How a number is written in a question."""

    DIGITS = "digits"
    """`48`, `1,200`, `2.50`"""
    WORD = "word"
    """`three`, `twenty-one`, `a dozen`, `half`, `twice`"""
    PERCENT = "percent"
    """`25%`, `25 percent`; the value is 25."""
    FRACTION = "fraction"
    """`3/4`"""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that stands in the question at `question[start:end]`."""

    value: Fraction
    start: int
    end: int
    form: Form


@dataclass(frozen=True, slots=True)
class Given:
    """Refers to `Derivation.quantities[index]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Result:
    """Refers to the value of the earlier step `Derivation.steps[index]`."""

    index: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that the solution brings along: 7 days a week, 100 per cent."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Operation:
    """A binary operation on two expressions."""

    sign: Sign
    left: Expression
    right: Expression


Expression = Given | Result | Constant | Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the derivation: `name = expression`."""

    expression: Expression
    value: Fraction
    name: str
    """What the value is, as a Python identifier taken from the text where it can be (`clips_in_may`)."""
    text: str
    """The sentence of the solution in which the step stands, without calculator marks."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """Steps that lead from the numbers of a question to its answer; the last step's value is the answer."""

    question: str
    quantities: tuple[Quantity, ...]
    steps: tuple[Step, ...]

    @property
    def answer(self) -> Fraction:
        return self.steps[-1].value


def evaluate(expression: Expression, givens: Sequence[Fraction], results: Sequence[Fraction]) -> Fraction:
    """The exact value of an expression.

    ArithmeticError where it has none: ZeroDivisionError, or OverflowError for more than `MAX_BITS`.
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


def leaves(expression: Expression) -> Iterator[Given | Result | Constant]:
    """The operands of an expression, from left to right."""
    if isinstance(expression, Operation):
        yield from leaves(expression.left)
        yield from leaves(expression.right)
    else:
        yield expression
