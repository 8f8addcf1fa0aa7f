"""Reading arithmetic out of prose: `6 bags x $1,200 = $7200` becomes an equation with exact numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from agents.symbolic.derivation import Constant, Expression, Operation, Sign, evaluate
from agents.symbolic.numbers import CARDINALS, DIGITS, read_digits

MAX_UNIT_WORDS = 6
"""How many words may stand between an operand and the next operator (`3 boxes of red pens x 4`)."""

_WORD_VALUES = {word: Fraction(value) for word, value in CARDINALS.items()} | {
    "half": Fraction(1, 2),
    "twice": Fraction(2),
}
_SIGNS: dict[str, Sign] = {"+": "+", "-": "-", "–": "-", "−": "-", "*": "*", "×": "*", "/": "/", "÷": "/"}
_BLANK = re.compile(r"[$€£¥₹]|\((?=[^()]*[A-Za-z])[^()=\d]*\)")
_TOKEN = re.compile(
    rf"(?P<mixed>\d+\s\d+/\d+(?![\d/]))|(?P<number>{DIGITS})|(?P<word>[A-Za-z][A-Za-z'’]*)|(?P<percent>%)"
    r"|(?P<equals>=)|(?P<open>[(\[])|(?P<close>[)\]])|(?P<sign>[-+*×/÷–−])|(?P<stop>\S)"
)
_BULLET = re.compile(r"^\s*(?:[-•*](?=\s)|\d+[.)](?=\s))\s*", re.MULTILINE)

Kind = Literal["number", "word", "percent", "equals", "open", "close", "sign", "stop"]


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    start: int
    end: int
    text: str
    value: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Segment:
    """One side of an equation; its leaves are constants."""

    expression: Expression
    start: int
    end: int
    percent: bool
    """A percent sign follows it, so its value is in percent."""

    @property
    def is_operation(self) -> bool:
        return isinstance(self.expression, Operation)


@dataclass(frozen=True, slots=True)
class Equation:
    """Sides that the text says are equal, left to right; a single side is arithmetic without a result."""

    segments: tuple[Segment, ...]

    @property
    def start(self) -> int:
        return self.segments[0].start

    @property
    def end(self) -> int:
        return self.segments[-1].end


class UnreadableError(ValueError):
    """No arithmetic starts here."""


def find_equations(text: str, percent: Literal["divide", "keep"] = "divide") -> tuple[Equation, ...]:
    """Every equation and every bare operation in the text, in order, without overlap.

    `percent` says what `25%` among the operands means: 25/100, or 25 as in `100% - 25% = 75%`.
    """
    return tuple(_Scanner(_tokens(text), percent == "divide").equations())


def value_of(expression: Expression) -> Fraction:
    """The value of an expression whose leaves are constants."""
    return evaluate(expression, (), ())


def _tokens(text: str) -> list[Token]:
    def blank(match: re.Match[str]) -> str:
        return " " * len(match[0])

    text = _BLANK.sub(blank, _BULLET.sub(blank, text))
    tokens: list[Token] = []
    for line in re.finditer(r"[^\n]+", text):
        tokens += _line_tokens(line[0], line.start())
        tokens.append(Token("stop", line.end(), line.end(), "\n"))
    return tokens


def _line_tokens(line: str, offset: int) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(line):
        kind, text = str(match.lastgroup), match[0]
        value = Fraction(0)
        if kind == "mixed":
            whole, top, bottom = (int(part) for part in re.split(r"[\s/]", text))
            kind, value = ("number", whole + Fraction(top, bottom)) if bottom else ("stop", value)
        elif kind == "number":
            value = read_digits(text)
        elif kind == "word" and text.lower() in {"percent"}:
            kind = "percent"
        tokens.append(Token(kind, offset + match.start(), offset + match.end(), text, value))  # type: ignore[arg-type]
    return [_settle(tokens, index) for index in range(len(tokens))]


def _settle(tokens: list[Token], index: int) -> Token:
    """Decide what an `x`, an `of` or a slash is from its neighbours."""
    token = tokens[index]
    before = tokens[index - 1] if index else None
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if token.kind == "word" and token.text.lower() == "x":
        operand = after is not None and (
            after.kind in {"number", "open"} or after.text.lower() in _WORD_VALUES
        )
        if before is not None and operand:
            return Token("sign", token.start, token.end, "*")
    if token.kind == "word" and token.text == "of" and before and after and after.kind == "number":
        fraction = index >= 3 and tokens[index - 2].text == "/" and before.kind == "number"
        if fraction or before.kind == "percent":
            return Token("sign", token.start, token.end, "*")
    if token.text in {"/", "-"} and _is_unit(after, token.text):
        return Token("word", token.start, token.end, token.text)
    if token.kind == "sign":
        return Token("sign", token.start, token.end, _SIGNS[token.text])
    return token


def _is_unit(after: Token | None, mark: str) -> bool:
    """What follows a slash or hyphen makes it part of a word: `km/hour`, `3-page`."""
    if after is None or after.kind != "word":
        return False
    return mark == "-" or after.text.lower() not in _WORD_VALUES


class _Scanner:
    """Recursive descent over tokens, with the units between operands skipped."""

    def __init__(self, tokens: list[Token], divide_percent: bool) -> None:
        self.tokens = tokens
        self.divide_percent = divide_percent
        self.at = 0

    def equations(self) -> Iterator[Equation]:
        while self.at < len(self.tokens):
            start = self.at
            try:
                equation = self._equation()
            except (UnreadableError, ZeroDivisionError):
                self.at = start + 1
                continue
            if len(equation.segments) > 1 or equation.segments[0].is_operation:
                yield equation
            self.at = max(self.at, start + 1)

    def _equation(self) -> Equation:
        segments = [self._segment()]
        while True:
            mark = self.at
            self._skip_units()
            if self._kind() != "equals":
                self.at = mark
                return Equation(tuple(segments))
            self.at += 1
            try:
                segments.append(self._segment())
            except (UnreadableError, ZeroDivisionError):
                self.at = mark
                return Equation(tuple(segments))

    def _segment(self) -> Segment:
        first = self.at
        expression = self._sum()
        last = self.tokens[self.at - 1]
        value_of(expression)
        return Segment(expression, self.tokens[first].start, last.end, last.kind == "percent")

    def _kind(self) -> Kind | None:
        return self.tokens[self.at].kind if self.at < len(self.tokens) else None

    def _skip_units(self) -> None:
        limit = self.at + MAX_UNIT_WORDS
        while self._kind() == "word" and self.at < limit:
            self.at += 1

    def _sign(self, allowed: str) -> Sign | None:
        """Take the next operator when it is one of these and an operand follows it; else stay."""
        mark = self.at
        self._skip_units()
        if self._kind() == "sign" and self.tokens[self.at].text in allowed:
            sign = _SIGNS[self.tokens[self.at].text]
            self.at += 1
            if self._operand_follows():
                return sign
        self.at = mark
        return None

    def _operand_follows(self) -> bool:
        ahead = self.at + (1 if self._kind() == "sign" and self.tokens[self.at].text == "-" else 0)
        if ahead >= len(self.tokens):
            return False
        token = self.tokens[ahead]
        return token.kind in {"number", "open"} or token.text.lower() in _WORD_VALUES

    def _sum(self) -> Expression:
        left = self._product()
        while (sign := self._sign("+-")) is not None:
            left = Operation(sign, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while True:
            sign = self._sign("*/") or self._juxtaposed()
            if sign is None:
                return left
            left = Operation(sign, left, self._fraction() if sign == "*" else self._factor())

    def _juxtaposed(self) -> Sign | None:
        """`2(16)` is a product."""
        here = self.tokens[self.at] if self.at < len(self.tokens) else None
        before = self.tokens[self.at - 1]
        touching = here is not None and here.start == before.end and before.kind in {"number", "close"}
        return "*" if touching and here is not None and here.kind == "open" else None

    def _fraction(self) -> Expression:
        """A factor, or a proper fraction written without blanks: `240 * 1/2` multiplies by one number."""
        tokens = self.tokens[self.at : self.at + 3]
        if len(tokens) == 3 and tokens[1].text == "/" and tokens[0].kind == tokens[2].kind == "number":
            tight = tokens[0].end == tokens[1].start and tokens[1].end == tokens[2].start
            if tight and 0 < tokens[0].value < tokens[2].value:
                self.at += 3
                return Operation("/", Constant(tokens[0].value), Constant(tokens[2].value))
        return self._factor()

    def _factor(self) -> Expression:
        if self._kind() == "sign" and self.tokens[self.at].text == "-":
            self.at += 1
            inner = self._factor()
            return (
                Constant(-inner.value)
                if isinstance(inner, Constant)
                else Operation("-", Constant(Fraction(0)), inner)
            )
        if self._kind() == "open":
            return self._group()
        return self._number()

    def _group(self) -> Expression:
        self.at += 1
        inner = self._sum()
        self._skip_units()
        if self._kind() != "close":
            raise UnreadableError
        self.at += 1
        return inner

    def _number(self) -> Expression:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None:
            raise UnreadableError
        if token.kind == "word" and token.text.lower() in _WORD_VALUES:
            self.at += 1
            return Constant(_WORD_VALUES[token.text.lower()])
        if token.kind != "number":
            raise UnreadableError
        self.at += 1
        if self._kind() == "percent":
            self.at += 1
            if self.divide_percent:
                return Operation("/", Constant(token.value), Constant(Fraction(100)))
        return Constant(token.value)
