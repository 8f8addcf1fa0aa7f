"""Numbers that a solution may use although its question does not write them: the 2 of `twice`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from fdd.agents.symbolic.computation import Number
from fdd.agents.symbolic.derivation import Form, Quantity
from fdd.agents.symbolic.numbers import write_like
from fdd.agents.symbolic.vocabulary import IMPLIED_BY
from fdd.amounts import CURRENCY

IMPLIED = {
    int(number): re.compile(f"{words}|{CURRENCY}" if number == "100" else words, re.IGNORECASE)
    for number, words in IMPLIED_BY.items()
}


def is_implied(question: str, value: Number) -> bool:
    """Whether words of the question suggest this number as a constant: `hour` suggests 60."""
    words = IMPLIED.get(int(value)) if value.denominator == 1 else None
    return words is not None and words.search(question) is not None


def is_squared(text: str) -> bool:
    """Whether a text mentions something for which a number is multiplied by itself, such as an area."""
    pattern = r"squar|\bcub|\barea\b|\bper side|\beach (?:side|direction)|\bsides\b|by itself"
    return re.search(pattern, text, re.IGNORECASE) is not None


def fraction_parts(quantities: Sequence[Quantity]) -> set[Fraction]:
    """Return the numerators and denominators above 1 that a solution may use alone: 3 and 8 for `3/8`."""
    fractions = [quantity.value for quantity in quantities if quantity.form is Form.FRACTION]
    return {Fraction(part) for value in fractions for part in value.as_integer_ratio() if part > 1}


def is_relative(question: str, quantity: Quantity) -> bool:
    """Whether a number is a word that `write_like` cannot write: `twice`, `half`, `dozen`."""
    text = question[quantity.start : quantity.end]
    return quantity.form is Form.WORD and write_like(quantity.value, text, quantity.form) is None


def is_factor(question: str, quantity: Quantity) -> bool:
    """Whether a number compares two things by a factor: `twice`, `3 times as many`."""
    # Of the relative words only `dozen` does not compare things.
    if is_relative(question, quantity) and "dozen" not in question[quantity.start : quantity.end].lower():
        return True
    return re.match(r"\s+times\s+(?:as|more|the)\b", question[quantity.end :]) is not None
