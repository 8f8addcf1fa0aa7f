"""Defines one further step on the answer of a problem, and the tools that write it.

With the answer 72 clips, a step may ask `if Justin has 5 times the number of clips Natalia sold, how many
clips does Justin have`, and the solution gains `Justin has 72 * 5 = <<72*5=360>>360 clips.` The module
`extensions` has the kinds of steps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from fdd.agents.symbolic.derivation import OPERATORS, Sign
from fdd.agents.symbolic.numbers import decimal_places, write_plain
from fdd.agents.symbolic.reckoner import Number
from fdd.agents.symbolic.wording.asking import Asked, Named

SHARES = (10, 20, 25, 30, 40, 60, 75)
"""The percentages that a further step may use."""

# Verbs after which the counted things are gone or only wished for: they cannot be sorted or given away.
_OUT_OF_REACH = re.compile(
    r"\b(?:eats?|ate|eaten|sells?|sold|uses?|used|drinks?|drank|drunk|loses?|lost|gives?|gave|given|donate[sd]?"
    r"|breaks?|broken?|kill\w*|burn\w*|throws?|threw|thrown|consum\w+|spen\w+|miss\w*|needs?|needed|wants?"
    r"|would|should|must|can|could|have to|has to|to (?!the\b|an?\b|his\b|her\b|their\b)[a-z]+|read|watch\w*"
    r"|remove[sd]?|die[sd]?|sees?|saw|slain|slew|count\w*|serve[sd]?|ship\w*|deliver\w*|return\w*|answer\w*"
    r"|play\w*|visit\w*|crash\w*|pop\w*)\b"
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One more step: the new asking clause of the question, and the calculation that it adds."""

    fact: str
    """A sentence to insert before the last one of the question; may be empty."""
    asking: str
    """The new asking clause in lower case, without a question mark, to follow the old opening."""
    lines: tuple[str, ...]
    """The lines that the solution gains, with calculator marks."""
    answer: Fraction


class Share(NamedTuple):
    """A percentage of the answer."""

    percent: int
    part: Fraction
    line: str
    """The line of the solution that computes it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The problem that an extension is made from."""

    asked: Asked
    answer: Fraction
    currency: str
    """The currency sign as the question writes it, such as `$` or `Rs.`."""
    taken: frozenset[Fraction]
    """Values that the problem already has. A new number equal to one of them would be ambiguous."""
    text: str
    """The whole question."""
    rng: random.Random

    @property
    def named(self) -> Named:
        return self.asked.named

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the counted things are gone or only wished for: they can't be sorted or given away."""
        return _OUT_OF_REACH.search(f"{self.named.verb} {self.named.relative}") is not None

    def pick(self, numbers: Sequence[int]) -> int | None:
        """Return a random one of the numbers that the problem does not have yet; None if there is none."""
        free = [number for number in numbers if number not in self.taken and number != self.answer]
        return self.rng.choice(free) if free else None

    def divisor(self, low: int, high: int) -> int | None:
        """Return a number from `low` to `high` that divides the answer without remainder, or None.

        Each share is more than 1. An answer that is not whole is divided into whole hundredths (cents).
        """
        whole = self.answer if self.answer.denominator == 1 else self.answer * 100
        if whole.denominator > 1:
            return None
        return self.pick([n for n in range(low, high + 1) if whole % n == 0 and self.answer / n > 1])

    def step(
        self, before: str, sign: Sign, number: Number, after: str = "", unit: str = ""
    ) -> tuple[str, Fraction]:
        """Return a line that continues from the answer, and its value.

        With the answer 36: `Each has 36 / 2 = <<36/2=18>>18 clips.` and 18.
        """
        return line(before, self.answer, sign, Fraction(number), after, unit)

    def share(self, what: str, unit: str = "") -> Share | None:
        """Return a percentage of the answer that is whole, or in whole cents where the answer has cents.

        `what` begins the line, and `unit` is the currency sign. None where no percentage is possible.
        """
        cents = 100 if unit and self.answer.denominator > 1 else 1
        percent = self.pick([p for p in SHARES if (self.answer * p / 100 * cents).denominator == 1])
        if percent is None:
            return None
        part = self.answer * percent / 100
        mark = f"<<{write_plain(self.answer)}*{percent}/100={write_plain(part)}>>"
        shown = _amount(part, unit).removeprefix(unit)
        return Share(
            percent, part, f"{what} {_amount(self.answer, unit)} * {percent}/100 = {unit}{mark}{shown}."
        )


def line(
    before: str, left: Fraction, sign: Sign, right: Fraction, after: str = "", unit: str = ""
) -> tuple[str, Fraction]:
    """Return a line with a calculator mark, and its value.

    `unit` is the currency sign of `left` and of the value, and also of `right` in a sum or difference.
    """
    value = OPERATORS[sign](left, right)
    mark = f"<<{write_plain(left)}{sign}{write_plain(right)}={write_plain(value)}>>"
    two = _amount(right, unit) if sign in "+-" else write_plain(right)
    shown = _amount(value, unit).removeprefix(unit)
    return f"{before} {_amount(left, unit)} {sign} {two} = {unit}{mark}{shown}{after}.", value


def _amount(value: Fraction, unit: str) -> str:
    """Write an amount: `$2.50`, `$3`, or only the number without a unit."""
    return f"{unit}{write_plain(value)}{'0' if unit and decimal_places(value) == 1 else ''}"
