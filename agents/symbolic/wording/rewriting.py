"""Rewrites a question and its worked solution with other numbers, keeping their sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from types import MappingProxyType

from fdd.agents.symbolic.computation import Computation, Number, normal
from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Form, Given, Operation, Result
from fdd.agents.symbolic.numbers import CARDINALS, DIGITS, PERCENT, read_digits, write_like, write_plain
from fdd.amounts import CURRENCY

_ONES = "two|three|four|five|six|seven|eight|nine"
_NUMBER = re.compile(
    rf"(?i)(?P<fraction>(?<![\d/.,])\d+\s?/\s?(?!0+(?!\d))\d+(?![\d/.,]))|(?P<digits>{DIGITS})(?P<percent>\s?{PERCENT})?"
    rf"|\b(?P<word>(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-(?:one|{_ONES})"
    rf"|{'|'.join(word for word in CARDINALS if word not in ('zero', 'one'))})\b(?!-)"
)
_DIGITS = re.compile(DIGITS)
_EQUALS = re.compile(rf"=\s*{CURRENCY}?\s*$")
_IS = re.compile(rf"(?:\bis|\bare|\bequals?)\s*{CURRENCY}?\s*$")
_OPERATOR_NEXT = re.compile(rf"\s*(?:[-+*/×÷–−]|x\b)\s*{CURRENCY}?\s?[\d(.]")
_OPERATOR_BEFORE = re.compile(rf"\d\s*(?:[+*/×÷–−]|-(?=\s)|x\s)\s*{CURRENCY}?\s?$")
_UNEXPLAINED = 12
"""A larger number that the derivation does not explain may have to change: its sentence is not reused."""


Spot = tuple[int, int, Number]  # start, end and value of a number in a rewritten sentence


class Rewritten:
    """A derivation with new numbers. `table` is the computation's table for these."""

    def __init__(self, derivation: Derivation, computation: Computation, table: Sequence[Number]) -> None:
        self.derivation = derivation
        self.computation = computation
        self.table = table
        self._everywhere = self._changes(range(len(table)))
        self._fractions = {
            normal(quantity.value) for quantity in derivation.quantities if quantity.value.denominator > 1
        }

    def _changes(self, places: Iterable[int]) -> dict[Number, set[Number]]:
        changes: dict[Number, set[Number]] = {}
        for place in places:
            changes.setdefault(self.computation.old[place], set()).add(self.table[place])
        return changes

    @property
    def answer(self) -> Fraction:
        return self._value(len(self.computation.steps) - 1)

    def _value(self, step: int) -> Fraction:
        return Fraction(self.table[self.computation.steps[step]])

    def question(self, hidden: Mapping[int, str] = MappingProxyType({})) -> str | None:
        """Return the question with new numbers, or letters (`hidden`); None if one cannot be written."""
        text, end = "", 0
        old = self.derivation.question
        for index, quantity in enumerate(self.derivation.quantities):
            written: str | None = old[quantity.start : quantity.end]
            if index in hidden:
                written = hidden[index]
            elif self.table[index] != self.computation.old[index]:
                written = write_like(Fraction(self.table[index]), written or "", quantity.form)
            if written is None:
                return None
            text += with_article(old[end : quantity.start], written) + written
            end = quantity.end
            if index in hidden and old[end : end + 1].isalpha():
                text += " "
        return text + old[end:]

    def solution(self) -> str:
        """Return the worked solution, one sentence per line, with a calculator mark for every step."""
        lines: list[str] = []
        for text, group in groupby(enumerate(self.derivation.steps), key=lambda numbered: numbered[1].text):
            steps = [index for index, _ in group]
            told = self._retell(text, steps)
            lines += map(self._plain, steps) if told is None else [told]
        return "\n".join(lines)

    def _plain(self, index: int) -> str:
        """Write only the calculation of a step whose sentence cannot be reused."""
        label = self.derivation.steps[index].name.replace("_", " ").capitalize()
        result = f"{self._mark(index)}{write_plain(self._value(index))}"
        return f"{label}: {self._write(index, ' ')} = {result}"

    def _mark(self, index: int) -> str:
        return f"<<{self._write(index, '')}={write_plain(self._value(index))}>>"

    def _write(self, step: int, blank: str) -> str:
        return self._strong(self.derivation.steps[step].expression, blank)[0]

    def _strong(self, expression: Expression, blank: str) -> tuple[str, int]:
        """Return the text of an expression and its binding strength."""
        match expression:
            case Operation(sign, left, right):
                needed = 1 if sign in "+-" else 2
                one, strength = self._strong(left, blank)
                other, other_strength = self._strong(right, blank)
                one = one if strength >= needed else f"({one})"
                other = other if other_strength > needed else f"({other})"
                return f"{one}{blank}{sign}{blank}{other}", needed
            case Given(index):
                value = Fraction(self.table[index])
            case Result(index):
                value = self._value(index)
            case Constant(value):
                pass
        text = write_plain(value)
        return text, 2 if "/" in text else 3

    def _retell(self, old: str, steps: Sequence[int]) -> str | None:
        """Return the sentence of these steps with the new numbers and marks; None if it cannot be reused."""
        nearby = self._changes(place for step in steps for place in self.computation.places[step])
        text, end = "", 0
        spots: list[Spot] = []
        for match in self._numbers(old):
            renewed = self._renew(match, nearby)
            if renewed is None:
                return None
            value, written = renewed
            text += with_article(old[end : match.start()], written)
            spots.append((len(text), len(text) + len(written), value))
            text += written
            end = match.end()
        return self._marked(text + old[end:], spots, steps)

    def _numbers(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the numbers of a sentence; `36/2` is one number only if the question has that fraction."""
        at = 0
        while match := _NUMBER.search(text, at):
            if match["fraction"] and _read(match) not in self._fractions:
                match = _DIGITS.match(text, match.start())
                assert match is not None
            yield match
            at = match.end()

    def _renew(self, match: re.Match[str], nearby: dict[Number, set[Number]]) -> tuple[Number, str] | None:
        """Return the new value of a number and its spelling; None where it is ambiguous or unexplained."""
        old = _read(match)
        if old not in nearby and _is_operand(match.string, match.start(), match.end()):
            return None
        new = self._new_value(old, nearby, percent=re.search(f"{PERCENT}$", match[0]) is not None)
        if new is None or new == old:
            return None if new is None else (old, match[0])
        if re.match(r",\d", match.string[match.end() :]) or re.search(r"\d,$", match.string[: match.start()]):
            return None  # a list such as `days 4,5,6 and 7`
        if "/" in match[0]:
            slash = match[0].strip("0123456789")
            return new, f"{new.numerator}{slash}{new.denominator}"
        form = Form.WORD if match[0][0].isalpha() else Form.DIGITS
        written = write_like(Fraction(new), match[0] if match[0][0] != "." else "0" + match[0], form)
        return None if written is None else (new, written)

    def _new_value(self, old: Number, nearby: dict[Number, set[Number]], *, percent: bool) -> Number | None:
        # Numbers of this sentence's own steps come first: elsewhere an equal number may change differently.
        for changes in (nearby, self._everywhere):
            if old in changes:
                return next(iter(changes[old])) if len(changes[old]) == 1 else None
            share = normal(Fraction(old) / 100)
            if percent and share in changes:
                return normal(next(iter(changes[share])) * 100) if len(changes[share]) == 1 else None
        # Usual constants of time and money, and small numbers, mean what they say.
        return old if old <= _UNEXPLAINED or old in (24, 52, 60, 100, 365) else None

    def _marked(self, text: str, spots: Sequence[Spot], steps: Sequence[int]) -> str | None:
        """Insert the calculator mark of every step before the number that is its value, from left to right.

        A step whose value occurs in the sentence only as an operand gets a line of its own before it.
        Returns None where the value of a step does not occur at all.
        """
        at, marks, unwritten = 0, [], []
        for step in steps:
            value = self._value(step)
            after = [spot for spot in spots[at:] if spot[2] == value]
            told = [(start, end) for start, end, _ in after if not _is_operand(text, start, end)]
            stated = [start for start, _ in told if _EQUALS.search(text[:start])]
            stated += [start for start, _ in told if _IS.search(text[:start]) and text[start].isdigit()]
            if not after:
                return None
            if not told:
                unwritten.append(self._plain(step))
                continue
            chosen = stated[0] if stated else told[0][0]
            at = [start for start, _, _ in spots].index(chosen) + 1
            marks.append((chosen, self._mark(step)))
        for start, mark in reversed(marks):
            text = text[:start] + mark + text[start:]
        return "\n".join((*unwritten, text))


def _is_operand(text: str, start: int, end: int) -> bool:
    return bool(_OPERATOR_NEXT.match(text, end) or _OPERATOR_BEFORE.search(text[:start]))


def _read(match: re.Match[str]) -> Number:
    text = re.sub(rf"\s|{PERCENT}", "", match[0].lower())
    if text[-1].isdigit():
        top, _, bottom = text.partition("/")
        return normal(read_digits(top) / read_digits(bottom or "1"))
    return sum(CARDINALS[part] for part in text.split("-"))


def with_article(before: str, number: str) -> str:
    """Return the text before a number, with a final `a` or `an` adapted to the number."""
    match = re.search(rf"\b(an?)\s{CURRENCY}?$", before, re.IGNORECASE)
    if match is None:
        return before
    vowel = re.match(r"8|1[18](?!\d)|eight|eleven|[xn]$", number, re.IGNORECASE)
    article = match[1][0] + ("n" if vowel else "")
    return before[: match.start(1)] + article + before[match.end(1) :]
