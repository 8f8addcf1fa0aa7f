"""Finds arithmetic in prose and parses it with exact numbers, skipping units and currency signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from fdd.agents.symbolic.derivation import Constant, Expression, Operation, Sign, evaluate
from fdd.agents.symbolic.numbers import CARDINALS, DIGITS, PERCENT, read_digits
from fdd.amounts import CURRENCY

MAX_UNIT_WORDS = 6
"""Maximum number of words between an operand and the next operator (`3 boxes of red pens x 4` has four)."""
MAX_OPERANDS = 100
"""Maximum number of operands in one side of an equation; keeps the time for hostile text linear."""
MAX_DEPTH = 20  # maximum depth of nested parentheses; well below Python's recursion limit

_WORD_VALUES = {word: Fraction(value) for word, value in CARDINALS.items()} | {
    "half": Fraction(1, 2),
    "twice": Fraction(2),
}
_SIGNS: dict[str, Sign] = {"+": "+", "-": "-", "*": "*", "/": "/"}
_SIGNS |= {"–": "-", "−": "-", "×": "*", "x": "*", "X": "*", "÷": "/"}
# Currency signs and remarks in parentheses without numbers, such as `(in dollars)`. These are ignored.
_BLANK = re.compile(rf"{CURRENCY}|\((?=[^()]*[A-Za-z])[^()=\d]*\)")
_TOKEN = re.compile(
    rf"(?P<mixed>\d+\s\d+/\d+(?![\d/]))|(?P<number>{DIGITS})|(?P<percent>-?{PERCENT})"
    r"|(?P<word>[^\W\d_](?:[^\W\d_]|['’])*)|(?P<equals>=)|(?P<open>[(\[])|(?P<close>[)\]])|(?P<sign>[-+*×/÷–−])|(?P<stop>\S)"
)
_BULLET = re.compile(r"^[^\S\n]*(?:[-•*](?=\s)|\d+[.)](?=\s))\s*", re.MULTILINE)


_JOINED = {"/": {"word"}, "-": {"word", "numeral"}}
"""Kinds of the next token that make a slash or a hyphen part of a word: `km/hour`, `3-page`."""
_OPERANDS = frozenset({"number", "numeral", "open"})


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # the name of a group of `_TOKEN`, or "numeral" for a number word
    start: int
    end: int
    text: str
    value: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Segment:
    """One side of an equation. The leaves of its expression are constants."""

    expression: Expression
    start: int
    end: int
    percent: bool  # whether it ends in a percent sign, so that its value is in percent
    is_operation: bool  # whether it computes something; `25%` alone does not, although it is read as 25 / 100


@dataclass(frozen=True, slots=True)
class Equation:
    """Sides that the text joins with equals signs. A single side is an operation without a written result."""

    segments: tuple[Segment, ...]

    @property
    def start(self) -> int:
        return self.segments[0].start

    @property
    def end(self) -> int:
        return self.segments[-1].end


class UnreadableError(ValueError):
    """Raised where no arithmetic starts, or where it exceeds `MAX_OPERANDS` or `MAX_DEPTH`."""


def find_equations(text: str, percent: Literal["divide", "keep"] = "divide") -> tuple[Equation, ...]:
    """Return every equation and every operation without a result, in the order of the text.

    They do not overlap. With `percent="divide"` the operand `25%` means 25/100. With `"keep"` it means 25,
    as in `100% - 25% = 75%`.
    """
    return tuple(_Scanner(_tokens(text), percent == "divide").equations())


def value_of(expression: Expression) -> Fraction:
    """Return the value of an expression whose leaves are constants; ArithmeticError as in `evaluate`."""
    return evaluate(expression, (), ())


def _tokens(text: str) -> list[Token]:
    # Blanks of the same length keep the positions of all tokens valid in the original text.
    for ignored in (_BULLET, _BLANK):
        text = ignored.sub(lambda match: " " * len(match[0]), text)
    tokens: list[Token] = []
    for line in re.finditer(r"[^\n]+", text):
        found = [_token(match, line.start()) for match in _TOKEN.finditer(line[0])]
        blank = Token("stop", 0, 0, "")
        around = zip([blank, *found], found, [*found[1:], blank], strict=False)
        tokens += [_settle(before, token, after) for before, token, after in around]
        tokens.append(Token("stop", line.end(), line.end(), "\n"))
    return tokens


def _token(match: re.Match[str], offset: int) -> Token:
    kind, text, value = str(match.lastgroup), match[0], Fraction(0)
    if kind == "mixed":
        whole, top, bottom = (int(part) for part in re.split(r"[\s/]+", text))
        kind = "number" if top < bottom else "stop"
        value = whole + Fraction(top, bottom or 1)
    elif kind == "number":
        value = read_digits(text)
    elif text.lower() in _WORD_VALUES:
        kind, value = "numeral", _WORD_VALUES[text.lower()]
    return Token(kind, offset + match.start(), offset + match.end(), text, value)


def _settle(before: Token, token: Token, after: Token) -> Token:
    """Decide from the neighbours whether an `x` multiplies, a slash divides, or a letter is a variable."""
    # A letter directly after a number is an unknown in `2x` and `4S`, but a unit in `5m`.
    glued = before.kind == "number" and before.end == token.start and len(token.text) == 1
    if token.kind == "word" and token.text in {"x", "X"} and after.kind in _OPERANDS:
        return replace(token, kind="sign")
    if token.kind == "word" and glued and token.text not in "mgklLh":
        return replace(token, kind="stop")
    return replace(token, kind="word") if after.kind in _JOINED.get(token.text, ()) else token


class _Scanner:
    """A recursive-descent parser over tokens that skips the units between operands.

    Every line of tokens ends in a STOP, which no rule consumes, so a look at the next token is always safe.
    """

    def __init__(self, tokens: list[Token], divide_percent: bool) -> None:
        self.tokens = tokens
        self.divide_percent = divide_percent
        self.at = 0
        self.operands = 0
        self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    def equations(self) -> Iterator[Equation]:
        while self.at < len(self.tokens):
            start = self.at
            try:
                equation = self._equation()
            except (UnreadableError, ArithmeticError) as error:
                # Skip the whole of an expression that is too long or too deep. Reading it again from each of
                # its numbers would take quadratic time.
                too_much = self.operands > MAX_OPERANDS or self.depth > MAX_DEPTH
                self.at = self.at if too_much or isinstance(error, OverflowError) else start + 1
                continue
            if len(equation.segments) > 1 or equation.segments[0].is_operation:
                yield equation

    def _equation(self) -> Equation:
        segments = [self._segment()]
        while True:
            mark = self.at
            self._skip_units()
            if self.here.kind != "equals":
                break
            self.at += 1
            try:
                segments.append(self._segment())
            except (UnreadableError, ArithmeticError):
                break
        self.at = mark
        return Equation(tuple(segments))

    def _segment(self) -> Segment:
        first, self.operands, self.depth = self.at, 0, 0
        expression = self._sum()
        value_of(expression)  # raises for a division by zero
        last = self.tokens[self.at - 1]
        percent = last.kind == "percent"
        computes = isinstance(expression, Operation) and not (percent and self.at - first == 2)
        return Segment(expression, self.tokens[first].start, last.end, percent, computes)

    def _skip_units(self) -> None:
        limit = self.at + MAX_UNIT_WORDS
        while self.here.kind == "word" and self.at < limit:
            self.at += 1

    def _sign(self, allowed: str) -> Sign | None:
        """Consume the next operator if it is in `allowed` and an operand follows; else consume nothing."""
        mark = self.at
        if "*" in allowed and self._is_share():
            self.at += 1
            return "*"
        self._skip_units()
        if self.here.kind == "sign" and (sign := _SIGNS[self.here.text]) in allowed:
            self.at += 1
            if self.tokens[self.at + self._is_minus()].kind in _OPERANDS:
                return sign
        self.at = mark
        return None

    def _is_share(self) -> bool:
        """Whether `of` multiplies here, as in `20% of 50`, `1/2 of 50` and `half of 50`."""
        if self.here.text != "of" or self.tokens[self.at + 1].kind != "number":
            return False
        part = self.tokens[max(self.at - 3, 0) : self.at]
        return part[-1].kind in {"percent", "numeral"} or (len(part) == 3 and part[1].text == "/")

    def _is_minus(self) -> bool:
        return self.here.kind == "sign" and _SIGNS[self.here.text] == "-"

    def _sum(self) -> Expression:
        left = self._product()
        while (sign := self._sign("+-")) is not None:
            left = Operation(sign, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while (sign := self._juxtaposed() or self._sign("*/")) is not None:
            # After a slash, `12 / 3/4` goes from left to right: the second slash divides again.
            whole = sign == "*" or self.tokens[self.at - 1].text == "÷"
            left = Operation(sign, left, self._fraction() if whole else self._factor())
        return left

    def _juxtaposed(self) -> Sign | None:
        """Return `*` where a parenthesis directly follows an operand: `2(16)` is a product."""
        before = self.tokens[self.at - 1]
        touching = self.here.start == before.end and before.kind in {"number", "close"}
        return "*" if touching and self.here.kind == "open" else None

    def _fraction(self) -> Expression:
        """Read a factor, or a proper fraction without blanks as one operand: `240 * 1/2`, `14 ÷ 1/2`."""
        match self.tokens[self.at : self.at + 3]:
            case [
                Token("number", _, end, _, top),
                Token("sign", start, _, "/"),
                Token("number", after, _, _, bottom),
            ] if end == start == after - 1 and 0 < top < bottom:
                self.at += 3
                return Operation("/", Constant(top), Constant(bottom))
        return self._factor()

    def _factor(self) -> Expression:
        negative = self._is_minus()
        self.at += negative
        inner = self._group() if self.here.kind == "open" else self._number()
        if not negative:
            return inner
        if isinstance(inner, Constant):
            return Constant(-inner.value)
        return Operation("-", Constant(Fraction(0)), inner)

    def _group(self) -> Expression:
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError
        inner = self._sum()
        self._skip_units()
        if self.here.kind != "close":
            raise UnreadableError
        self.at += 1
        self.depth -= 1
        return inner

    def _number(self) -> Expression:
        here = self.here
        self.operands += 1
        if here.kind not in {"number", "numeral"} or self.operands > MAX_OPERANDS:
            raise UnreadableError
        self.at += 1
        if self.here.kind == "percent":
            self.at += 1
            if self.divide_percent:
                return Operation("/", Constant(here.value), Constant(Fraction(100)))
        return Constant(here.value)
