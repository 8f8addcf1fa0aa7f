"""Tying the operands of a worked solution to the numbers of the question and to earlier results."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agents.symbolic.arithmetic import value_of
from agents.symbolic.derivation import (
    Constant,
    Expression,
    Form,
    Given,
    Operation,
    Quantity,
    Result,
    evaluate,
    leaves,
)
from agents.symbolic.numbers import write_plain

HUNDRED = Constant(Fraction(100))
ONE = Constant(Fraction(1))
ADDED = frozenset(
    Fraction(value)
    for value in (0, 1, 2, 3, 5, 7, 12, 24, 28, 29, 30, 31, 52, 60, 90, 100, 180, 360, 365, 366)
)
"""Whole numbers that a solution may add or subtract unexplained: calendar, clock, angles, small counts."""
_WHOLE = (4, 6, 8, 9, 10, 14, 15, 16, 18, 20, 25, 26, 36, 40, 48, 50, 364, 500, 1000, 1440, 1760, 2000, 2400)
_OTHERS = "3600 5280 10000 1000000 0.5 0.25 0.75 0.1 0.2 0.01 0.05 0.001 1.5"
FAMILIAR = ADDED | set(map(Fraction, _WHOLE)) | set(map(Fraction, _OTHERS.split()))
"""Numbers that a solution may multiply or divide by unexplained: units of time, length and money besides."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An operation as the solution writes it, with the result that it claims."""

    expression: Expression
    written: Fraction | None
    """None for an operation written without a result (`the rest is 130 - 75 pages`)."""
    percent: bool
    """The result is in percent."""
    text: str
    start: int
    """Where the operation stands in `text`."""
    end: int


@dataclass(frozen=True, slots=True)
class Node:
    """A claim after linking; `Result` leaves refer to nodes."""

    claim: Claim
    expression: Expression
    value: Fraction
    sound: bool
    """Its operands are all explained and its written result is exact (or was computed again)."""

    @property
    def written(self) -> Fraction | None:
        return self.claim.written


class Linker:
    """Takes the claims of one solution in order, and links each to what came before it."""

    def __init__(self, question: str, quantities: Sequence[Quantity], *, repair: bool) -> None:
        self.question = question
        self.quantities = quantities
        self.repair = repair
        self.givens = [quantity.value for quantity in quantities]
        self.nodes: list[Node] = []
        self.used: set[Given | Result] = set()
        self.fault = ""

    def add(self, claim: Claim) -> None:
        """Link one claim; ZeroDivisionError when a repaired result turned a divisor into zero."""
        expression = self._link(claim.expression, claim.text, in_percent=claim.percent)
        value = self._value(expression)
        right = claim.written is None or claim.written == value
        if not right and not self.fault:
            self.fault = f"a step says {claim.written} where the value is {value}"
        sound = (right or self.repair) and self._explained(expression, FAMILIAR)
        self.nodes.append(Node(claim, expression, value, sound))

    def root(self, answer: Fraction) -> int | None:
        """The last sound node with this value that uses a number of the question; written ones come first."""
        found = [index for index, node in enumerate(self.nodes) if node.sound and node.value == answer]
        found.sort(key=lambda index: (self.nodes[index].written is not None, index), reverse=True)
        return next((index for index in found if self._uses_question(index)), None)

    def closure(self, root: int) -> list[int]:
        """The nodes that feed the root, itself included, in order."""
        wanted = {root}
        for index in range(root, -1, -1):
            if index in wanted:
                operands = leaves(self.nodes[index].expression)
                wanted |= {leaf.index for leaf in operands if isinstance(leaf, Result)}
        return sorted(wanted)

    def _uses_question(self, root: int) -> bool:
        operands = (leaf for index in self.closure(root) for leaf in leaves(self.nodes[index].expression))
        return any(isinstance(leaf, Given) for leaf in operands)

    def _value(self, expression: Expression) -> Fraction:
        return evaluate(expression, self.givens, [node.value for node in self.nodes])

    def _explained(self, expression: Expression, constants: frozenset[Fraction]) -> bool:
        match expression:
            case Operation(sign, left, right):
                allowed = ADDED if sign in "+-" else FAMILIAR
                return self._explained(left, allowed) and self._explained(right, allowed)
            case Result(index):
                return self.nodes[index].sound
            case Constant(value):
                return abs(value) in constants
            case _:
                return True

    def _link(self, expression: Expression, text: str, *, in_percent: bool) -> Expression:
        match expression:
            case Operation("/", left, Constant(divisor)):
                return self._quotient(left, divisor, text, in_percent=in_percent)
            case Operation("*", left, Constant(value)) if value == Fraction(1, 100):
                return Operation("/", self._link(left, text, in_percent=True), HUNDRED)
            case Operation(sign, left, right):
                linked = self._link(left, text, in_percent=in_percent)
                return Operation(sign, linked, self._link(right, text, in_percent=in_percent))
            case _:
                return self._operand(value_of(expression), text, in_percent=in_percent)

    def _quotient(self, left: Expression, divisor: Fraction, text: str, *, in_percent: bool) -> Expression:
        """`3/4` may be one number of the question; the 2 of `48 / 2` may be its `half`."""
        if isinstance(left, Constant):
            share = left.value / divisor
            if (given := self._part(share, text)) is not None:
                return given
            if 0 < share < 1 and (given := self._part(1 - share, text)) is not None:
                return Operation("-", ONE, given)
        by_hundred = divisor == 100 and any(quantity.form is Form.PERCENT for quantity in self.quantities)
        linked = self._link(left, text, in_percent=in_percent or by_hundred)
        if by_hundred:
            return Operation("/", linked, HUNDRED)
        computed = any(leaf not in self.used for leaf in self._results(divisor))
        if not computed and self._part(1 / divisor, text) is not None:
            return Operation("/", linked, Constant(divisor))
        return Operation("/", linked, self._operand(divisor, text, in_percent=False))

    def _part(self, value: Fraction, text: str) -> Given | None:
        """A number of the question that is written as a fraction or as a word, and is not whole."""
        if value.denominator == 1:
            return None
        for given in self._givens(value, text, in_percent=False):
            if self.quantities[given.index].form in {Form.FRACTION, Form.WORD}:
                self.used.add(given)
                return given
        return None

    def _operand(self, value: Fraction, text: str, *, in_percent: bool) -> Expression:
        found = (
            self._direct(value, text, in_percent=in_percent)
            or next(self._views(value), None)
            or (None if value in FAMILIAR else self._unwritten(value))
            or self._bridge(value, text)
            or Constant(value)
        )
        self.used.update(leaf for leaf in leaves(found) if not isinstance(leaf, Constant))
        return found

    def _direct(self, value: Fraction, text: str, *, in_percent: bool) -> Given | Result | None:
        """What equals the value: a percentage where one is due, the latest result, or a number given."""
        givens, results = self._givens(value, text, in_percent=in_percent), self._results(value)
        if in_percent and givens and self.quantities[givens[0].index].form is Form.PERCENT:
            return givens[0]
        every: list[Given | Result] = [*results, *givens]
        return next((leaf for leaf in every if leaf not in self.used), next(iter(every), None))

    def _results(self, value: Fraction) -> list[Result]:
        return [
            Result(index) for index in reversed(range(len(self.nodes))) if self.nodes[index].written == value
        ]

    def _givens(self, value: Fraction, text: str, *, in_percent: bool) -> list[Given]:
        found = [Given(index) for index, given in enumerate(self.givens) if given == value]
        if len(found) < 2:
            return found
        words = _stems(text)

        def rank(given: Given) -> tuple[bool, bool, int, int]:
            misplaced = (self.quantities[given.index].form is Form.PERCENT) != in_percent
            return misplaced, given in self.used, -self._overlap(given.index, words), given.index

        return sorted(found, key=rank)

    def _overlap(self, index: int, words: frozenset[str]) -> int:
        quantity = self.quantities[index]
        around = self.question[max(0, quantity.start - 40) : quantity.end + 40]
        return len(_stems(around) & words)

    def _views(self, value: Fraction) -> Iterator[Expression]:
        """Other ways to use a number: 25% as 0.25, 0.75 or 1.25, 60 cents as 0.6, 3 million as 3000000."""
        for index, quantity in enumerate(self.quantities):
            given = Given(index)
            scale = _scale(self.question, quantity)
            if scale is not None and quantity.value * scale == value:
                yield Operation("*", given, Constant(scale)) if scale > 1 else Operation("/", given, HUNDRED)
            if quantity.form is Form.PERCENT and not (value.denominator == 1 and given in self.used):
                yield from _percent_views(given, quantity.value, value)
            elif 0 < quantity.value < 1 and 1 - quantity.value == value:
                yield Operation("-", ONE, given)
        for index in reversed(range(len(self.nodes))):
            if self.nodes[index].claim.percent:
                yield from _percent_views(Result(index), self.nodes[index].value, value)

    def _unwritten(self, value: Fraction) -> Result | None:
        """An earlier operation whose result the solution did not write down."""
        nodes = reversed(list(enumerate(self.nodes)))
        return next((Result(i) for i, node in nodes if node.written is None and node.value == value), None)

    def _bridge(self, value: Fraction, text: str) -> Result | None:
        """The one product of two known numbers that gives the value: a step that the solution left out.

        A value that needs no explanation gets one only when it is a share (half of 200) not used so far.
        """
        known: list[Given | Result] = [Given(index) for index in range(len(self.givens))]
        known += [Result(index) for index, node in enumerate(self.nodes) if node.sound]
        pairs = list(itertools.combinations(known, 2))
        if value in FAMILIAR:
            pairs = [pair for pair in pairs if value >= 10 and any(map(self._is_fresh_share, pair))]
        products = (self._product(left, right) for left, right in pairs)
        found = {self._signature(each): each for each in products if self._value(each) == value}
        if len(found) != 1:
            return None
        start = max(text.find(write_plain(value)), 0)
        claim = Claim(HUNDRED, value, False, text, start, start)
        self.nodes.append(Node(claim, next(iter(found.values())), value, sound=True))
        return Result(len(self.nodes) - 1)

    def _product(self, left: Given | Result, right: Given | Result) -> Expression:
        if self._is_percent(left) and not self._is_percent(right):
            left, right = right, left
        product = Operation("*", left, right)
        return Operation("/", product, HUNDRED) if self._is_percent(right) else product

    def _is_percent(self, leaf: Given | Result) -> bool:
        return isinstance(leaf, Given) and self.quantities[leaf.index].form is Form.PERCENT

    def _is_fresh_share(self, leaf: Given | Result) -> bool:
        fresh = isinstance(leaf, Given) and leaf not in self.used
        return fresh and (self._is_percent(leaf) or self.givens[leaf.index] < 1)

    def _signature(self, expression: Expression) -> tuple[Fraction, ...]:
        return tuple(sorted(self._value(leaf) for leaf in leaves(expression)))


def _scale(question: str, quantity: Quantity) -> Fraction | None:
    """What the unit after a number multiplies it by when dollars are counted: `60 cents`, `3 million`."""
    match = re.match(r"\s?(cents?|¢|hundred|thousand|million)(?!\w)", question[quantity.end :])
    if match is None:
        return None
    scales = {"hundred": Fraction(100), "thousand": Fraction(1000), "million": Fraction(10**6)}
    return scales.get(match[1], Fraction(1, 100))


def _percent_views(leaf: Given | Result, percent: Fraction, value: Fraction) -> Iterator[Expression]:
    share = Operation("/", leaf, HUNDRED)
    if value == percent / 100:
        yield share
    elif value == 1 + percent / 100:
        yield Operation("+", ONE, share)
    elif value == 1 - percent / 100:
        yield Operation("-", ONE, share)
    elif value == 100 - percent:
        yield Operation("-", HUNDRED, leaf)
    elif value == 100 + percent:
        yield Operation("+", HUNDRED, leaf)


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower()))
