"""Converts the result of a program or solver to an exact number, or says why that is impossible."""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction

from fdd.agents.checking.origins import Origins, may_count
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.thoughts.base import Outcome
from fdd.amounts import meant
from fdd.domain import Reason

MAX_DIGITS = 1000
"""Longer numbers are rejected: no answer has so many digits, and printing one can take minutes."""

MAX_BITS = 3321
"""Largest bit length of an accepted integer, which then has at most `MAX_DIGITS` digits."""


def value_outcome(value: object) -> Outcome:
    """The exact number of an int, finite float or Decimal; anything else, bool included, is a fault.

    Subclasses are faults too, so that no method written by a model is ever called.
    """
    if type(value) is int:
        return TOO_LONG if value.bit_length() > MAX_BITS else Outcome(value=Fraction(value))
    if type(value) is float and math.isfinite(value):
        return Outcome(value=meant(value))
    if type(value) is Decimal and value.is_finite():
        # Decimal("1e999999") is short, but not as an exact number.
        return TOO_LONG if abs(value.adjusted()) > MAX_DIGITS else Outcome(value=meant(value))
    kind = type(value).__name__
    shown = f"{kind} {value!r}" if isinstance(value, (bool, float, Decimal, complex)) else kind
    return fault(Reason.NOT_A_NUMBER, f"the answer is no number but {shown}")


def fault(reason: Reason, detail: str, value: Fraction | None = None) -> Outcome:
    return Outcome(value=value, reason=reason, detail=detail)


TOO_LONG = fault(Reason.MEMORY_LIMIT, f"the answer has more than {MAX_DIGITS} digits")


def unreasoned(
    numbers: Collection[Fraction], origins: Origins, answer: Fraction, *, computes: bool
) -> Outcome | None:
    """Why a text that writes these numbers does not derive the answer from the question, or None.

    `numbers` are all that the text writes; `computes` says whether it has any operation.
    """
    if not computes:
        return fault(Reason.NO_REASONING, "nothing is computed", answer)
    if answer in numbers and not may_count(answer) and answer not in origins.known:
        detail = f"it writes {write_plain(answer)} down, its own result, which the question does not give"
        return fault(Reason.NO_REASONING, detail, answer)
    if origins.given and origins.given.isdisjoint(numbers):
        return fault(Reason.NO_REASONING, "it uses no number of the question", answer)
    return None
