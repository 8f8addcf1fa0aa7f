"""Knows the numbers of the question and the results so far, while a worked solution is read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.symbolic.derivation import (
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
from fdd.agents.symbolic.implied import is_factor
from fdd.agents.symbolic.numbers import scale_of, write_plain
from fdd.agents.symbolic.vocabulary import LISTS
from fdd.amounts import DOTTED

_COMMON = frozenset(LISTS["common"])
_CLAUSE_END = re.compile("".join(rf"(?<!{word})" for word in DOTTED) + r"[.,;:?!](?!\d)|\band\b")

HUNDRED = Constant(Fraction(100))
ONE = Constant(Fraction(1))

Known = Given | Result


@dataclass(frozen=True, slots=True)
class Claim:
    """An operation as the solution writes it, at `text[start:end]`, with the result that it claims."""

    expression: Expression
    written: Fraction | None  # none for an operation written without a result (`the rest is 130 - 75 pages`)
    percent: bool  # whether the result is in percent
    text: str  # the sentence of the solution, without calculator marks
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Node:
    """A claim after linking. Its `Result` leaves are indices of `KnownNumbers.nodes`."""

    claim: Claim
    expression: Expression
    value: Fraction
    sound: bool  # whether all its operands are explained and its written result is exact (or was corrected)


class KnownNumbers:
    """The quantities and nodes known so far, with queries for what a number in the solution may be."""

    def __init__(self, question: str, quantities: Sequence[Quantity]) -> None:
        self.question = question
        self.quantities = quantities
        self.givens = [quantity.value for quantity in quantities]
        self.nodes: list[Node] = []
        self.used: set[Known] = set()

    def value(self, expression: Expression) -> Fraction:
        return evaluate(expression, self.givens, [node.value for node in self.nodes])

    def append(self, node: Node) -> Result:
        self.nodes.append(node)
        return Result(len(self.nodes) - 1)

    def results(self, value: Fraction) -> list[Result]:
        """Return the earlier steps whose written result is the value, the latest first."""
        nodes = reversed(list(enumerate(self.nodes)))
        return [Result(index) for index, node in nodes if node.claim.written == value]

    def givens_of(self, value: Fraction) -> list[Given]:
        return [Given(index) for index, given in enumerate(self.givens) if given == value]

    def is_percent(self, leaf: Known) -> bool:
        if isinstance(leaf, Result):
            return self.nodes[leaf.index].claim.percent
        return self.quantities[leaf.index].form is Form.PERCENT

    def is_part(self, leaf: Known) -> bool:
        """Whether it is a number of the question that is not whole, written as `3/4` or `half`."""
        if isinstance(leaf, Result) or self.givens[leaf.index].denominator == 1:
            return False
        return self.quantities[leaf.index].form in {Form.FRACTION, Form.WORD}

    def is_factor(self, leaf: Known) -> bool:
        """Whether it is a number of the question that says how many times: `twice`, `3 times as many`."""
        return isinstance(leaf, Given) and is_factor(self.question, self.quantities[leaf.index])

    def origin(self, leaf: Known) -> Known:
        """Return the number that a result only repeats (`35 * (1 / 1) = 35`), otherwise the leaf itself."""
        if isinstance(leaf, Given):
            return leaf
        node = self.nodes[leaf.index]
        match node.expression, [each for each in leaves(node.expression) if each != ONE]:
            case Operation("*" | "/"), [(Given() | Result()) as only] if self.value(only) == node.value:
                return self.origin(only)
        return leaf

    def overlap(self, leaf: Known, text: str) -> int:
        """Count the words that a sentence shares with the context of a number; its unit counts 3 more."""
        if isinstance(leaf, Result):
            around = self.nodes[leaf.index].claim.text
            unit = _unit(around, self.value(leaf))
        else:
            # The clause of the number, up to 40 characters (about seven words) on either side.
            quantity = self.quantities[leaf.index]
            before = _CLAUSE_END.split(self.question[max(0, quantity.start - 40) : quantity.start])[-1]
            around = before + _CLAUSE_END.split(self.question[quantity.end : quantity.end + 40])[0]
            unit = _first_word(self.question[quantity.end : quantity.end + 20])
        same_unit = unit != "" and unit == _unit(text, self.value(leaf))
        return len(_stems(around) & _stems(text)) + 3 * same_unit

    def is_named(self, leaf: Known, text: str) -> bool:
        """Whether a sentence has the word by which the question writes the number: `double`, `three`."""
        if isinstance(leaf, Result) or self.quantities[leaf.index].form is not Form.WORD:
            return False
        word = self.question[self.quantities[leaf.index].start : self.quantities[leaf.index].end]
        return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None

    def views(self, value: Fraction) -> Iterator[Expression]:
        """Yield expressions for the value from another form: 25% as 0.25, 0.75 or 1.25, 60 cents as 0.6."""
        for index, quantity in enumerate(self.quantities):
            given = Given(index)
            scale = scale_of(self.question, quantity)
            if scale is not None and quantity.value * scale == value:
                yield Operation("*", given, Constant(scale)) if scale > 1 else Operation("/", given, HUNDRED)
            if quantity.form is Form.PERCENT and not (value.denominator == 1 and given in self.used):
                yield from _percent_views(given, quantity.value, value)
            elif 0 < quantity.value < 1 and 1 - quantity.value == value:
                yield Operation("-", ONE, given)
        for index in reversed(range(len(self.nodes))):
            if self.nodes[index].claim.percent:
                yield from _percent_views(Result(index), self.nodes[index].value, value)

    def unwritten(self, value: Fraction) -> Result | None:
        """Return the latest operation with this value whose result the solution did not write down."""
        nodes = reversed(list(enumerate(self.nodes)))
        found = (Result(i) for i, node in nodes if node.claim.written is None and node.value == value)
        return next(found, None)

    def product(self, value: Fraction, *, fresh_share: bool) -> Expression | None:
        """Return the product of two known numbers that gives the value: a step that the solution left out.

        None if there is no such product, or more than one. With `fresh_share` one of the two numbers must be
        a percentage or a fraction (half of 200) that was not used so far.
        """
        known: list[Known] = [Given(index) for index in range(len(self.givens))]
        known += [Result(index) for index, node in enumerate(self.nodes) if node.sound]
        shares = {leaf for leaf in known if self.is_percent(leaf) or self.is_part(leaf)} - self.used
        found = {}
        for left, right in self._pairs(known, value):
            if fresh_share and shares.isdisjoint({left, right}):
                continue
            if self.is_percent(left) and not self.is_percent(right):
                left, right = right, left
            product = Operation("*", left, right)
            product = Operation("/", product, HUNDRED) if self.is_percent(right) else product
            try:
                if self.value(product) == value:
                    found[tuple(sorted((self.value(left), self.value(right))))] = product
            except OverflowError:
                continue
        return next(iter(found.values())) if len(found) == 1 else None

    def _pairs(self, known: Sequence[Known], value: Fraction) -> Iterator[tuple[Known, Known]]:
        """Yield the pairs whose product, or a hundredth of it, may be the value, in linear time."""
        places: defaultdict[Fraction, list[int]] = defaultdict(list)
        for place, leaf in enumerate(known):
            places[self.value(leaf)].append(place)
        for place, leaf in enumerate(known):
            factor = self.value(leaf)
            wanted = (value / factor, 100 * value / factor) if factor else ()
            others = sorted(other for each in wanted for other in places.get(each, ()) if other > place)
            yield from ((leaf, known[other]) for other in others)


def _percent_views(leaf: Known, percent: Fraction, value: Fraction) -> Iterator[Expression]:
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
    words = frozenset(re.findall(r"\b[a-z]{3,}", text)) - _COMMON
    return frozenset(word.rstrip("s") for word in words)


def _unit(text: str, value: Fraction) -> str:
    """Return the word after a number in a text, without plural s: `notebook` for 6 in `6 notebooks * $1`."""
    match = re.search(rf"(?<![\d.,]){re.escape(write_plain(value))}(?=\s[a-z])", text)
    return _first_word(text[match.end() :]) if match else ""


def _first_word(text: str) -> str:
    """Return the first word without plural s, if only a blank or a hyphen stands before it."""
    match = re.match(r"[\s-]([a-z]{3,})", text)
    return match[1].rstrip("s") if match else ""
