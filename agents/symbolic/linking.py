"""Tying the operands of a worked solution to the numbers of the question and to earlier results."""

from __future__ import annotations

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

HUNDRED = Constant(Fraction(100))
ONE = Constant(Fraction(1))
FAMILIAR = frozenset(
    (
        *(
            Fraction(value)
            for value in (*range(11), 12, 14, 15, 16, 18, 20, 24, 25, 30, 31, 36, 40, 48, 50, 52, 60)
        ),
        *(
            Fraction(value)
            for value in (90, 100, 180, 360, 364, 365, 366, 500, 1000, 1440, 1760, 2000, 2400, 3600)
        ),
        *(Fraction(value) for value in (5280, 10_000, 1_000_000)),
        *(Fraction(value) for value in ("0.5", "0.25", "0.75", "0.1", "0.2", "0.01", "0.05", "0.001", "1.5")),
    )
)
"""Numbers that a solution may bring along unexplained: units of time, length, money, small counts."""


@dataclass(frozen=True, slots=True)
class Node:
    """A claim after linking; `Result` leaves refer to nodes."""

    expression: Expression
    value: Fraction
    written: Fraction
    """What the solution says the value is; differs from `value` only where it was repaired."""
    percent: bool
    text: str
    span: tuple[int, int]
    sound: bool
    """Its operands are all explained and its written result is exact (or was computed again)."""
    latent: bool
    """Written without a result: used only where nothing else explains an operand."""


class Linker:
    """Takes the claims of one solution in order, and links each to what came before it."""

    def __init__(self, question: str, quantities: Sequence[Quantity], *, repair: bool) -> None:
        self.question = question
        self.quantities = quantities
        self.repair = repair
        self.givens = [quantity.value for quantity in quantities]
        self.nodes: list[Node] = []
        self.used_givens: set[int] = set()
        self.used_nodes: set[int] = set()
        self.fault = ""

    def add(
        self,
        expression: Expression,
        written: Fraction | None,
        *,
        percent: bool,
        text: str,
        span: tuple[int, int],
    ) -> None:
        linked = self._link(expression, text)
        value = evaluate(linked, self.givens, [node.value for node in self.nodes])
        explained = all(self._explained(leaf) for leaf in leaves(linked))
        right = written is None or written == value
        if not right and not self.fault:
            self.fault = f"a step says {written} where the value is {value}"
        self.nodes.append(
            Node(
                linked,
                value,
                value if written is None else written,
                percent,
                text,
                span,
                sound=explained and (right or self.repair),
                latent=written is None,
            )
        )

    def root(self, answer: Fraction) -> int | None:
        """The last sound step whose value is the answer."""
        found = [i for i, node in enumerate(self.nodes) if node.sound and node.value == answer]
        found.sort(key=lambda i: (not self.nodes[i].latent, i))
        for index in reversed(found):
            if any(
                isinstance(leaf, Given)
                for i in self.closure(index)
                for leaf in leaves(self.nodes[i].expression)
            ):
                return index
        return None

    def closure(self, root: int) -> list[int]:
        """The nodes that feed the root, itself included, in order."""
        wanted = {root}
        for index in range(root, -1, -1):
            if index in wanted:
                wanted |= {
                    leaf.index for leaf in leaves(self.nodes[index].expression) if isinstance(leaf, Result)
                }
        return sorted(wanted)

    def _explained(self, leaf: Given | Result | Constant) -> bool:
        if isinstance(leaf, Result):
            return self.nodes[leaf.index].sound
        return isinstance(leaf, Given) or abs(leaf.value) in FAMILIAR

    def _link(self, expression: Expression, text: str) -> Expression:
        if not isinstance(expression, Operation):
            return self._operand(value_of(expression), text)
        if expression.sign == "/" and isinstance(expression.right, Constant):
            return self._quotient(expression, expression.right.value, text)
        left = self._link(expression.left, text)
        return Operation(expression.sign, left, self._link(expression.right, text))

    def _quotient(self, expression: Operation, divisor: Fraction, text: str) -> Expression:
        if isinstance(expression.left, Constant):
            folded = self._given_equal(value_of(expression), text, {Form.FRACTION, Form.WORD})
            if folded is not None and divisor != 1:
                return folded
        left = self._link(expression.left, text)
        if divisor == 100 and any(quantity.form is Form.PERCENT for quantity in self.quantities):
            return Operation("/", left, HUNDRED)
        part = (
            self._given_equal(1 / divisor, text, {Form.WORD})
            if divisor > 1 and not self._unused_node(divisor)
            else None
        )
        if part is not None:
            return Operation("/", left, Constant(divisor))
        return Operation("/", left, self._operand(divisor, text))

    def _given_equal(self, value: Fraction, text: str, forms: set[Form]) -> Given | None:
        """A number of the question written in one of these forms, and smaller than one."""
        if value.denominator == 1:
            return None
        found = [i for i in self._givens_equal(value, text) if self.quantities[i].form in forms]
        if not found:
            return None
        self.used_givens.add(found[0])
        return Given(found[0])

    def _operand(self, value: Fraction, text: str) -> Expression:
        for direct in self._direct(value, text):
            return self._take(direct)
        if value in FAMILIAR and value.denominator == 1:
            return Constant(value)
        for expression in self._views(value):
            for leaf in leaves(expression):
                self._take(leaf)
            return expression
        for index in reversed(range(len(self.nodes))):
            if self.nodes[index].latent and self.nodes[index].value == value:
                return self._take(Result(index))
        return Constant(value)

    def _take(self, leaf: Given | Result | Constant) -> Given | Result | Constant:
        if isinstance(leaf, Given):
            self.used_givens.add(leaf.index)
        elif isinstance(leaf, Result):
            self.used_nodes.add(leaf.index)
        return leaf

    def _direct(self, value: Fraction, text: str) -> Iterator[Given | Result]:
        """What equals the value: the latest unused result, an unused given, then used ones."""
        results = [i for i in reversed(range(len(self.nodes))) if self._is_result(i, value)]
        givens = self._givens_equal(value, text)
        yield from (Result(i) for i in results if i not in self.used_nodes)
        yield from (Given(i) for i in givens if i not in self.used_givens)
        yield from (Result(i) for i in results)
        yield from (Given(i) for i in givens)

    def _is_result(self, index: int, value: Fraction) -> bool:
        return self.nodes[index].written == value and not self.nodes[index].latent

    def _unused_node(self, value: Fraction) -> bool:
        return any(self._is_result(i, value) and i not in self.used_nodes for i in range(len(self.nodes)))

    def _givens_equal(self, value: Fraction, text: str) -> list[int]:
        found = [i for i, given in enumerate(self.givens) if given == value]
        if len(found) > 1:
            words = _stems(text)
            found.sort(key=lambda i: (i in self.used_givens, -self._overlap(i, words), i))
        return found

    def _overlap(self, index: int, words: frozenset[str]) -> int:
        quantity = self.quantities[index]
        around = self.question[max(0, quantity.start - 40) : quantity.end + 40]
        return len(_stems(around) & words)

    def _views(self, value: Fraction) -> Iterator[Expression]:
        """Other ways to use a number: 25% as 0.25, 0.75 or 1.25, 60 cents as 0.6, 3 million as 3000000."""
        for index, quantity in enumerate(self.quantities):
            scale = self._scale(quantity)
            given = Given(index)
            if scale is not None and quantity.value * scale == value:
                yield Operation("*", given, Constant(scale)) if scale > 1 else Operation("/", given, HUNDRED)
            if quantity.form is Form.PERCENT:
                yield from _percent_views(given, quantity.value, value)
            elif 0 < quantity.value < 1 and 1 - quantity.value == value:
                yield Operation("-", ONE, given)
        for index in reversed(range(len(self.nodes))):
            if self.nodes[index].percent:
                yield from _percent_views(Result(index), self.nodes[index].value, value)

    def _scale(self, quantity: Quantity) -> Fraction | None:
        match = re.match(r"\s(cents?|hundred|thousand|million)\b|(¢)", self.question[quantity.end :])
        if match is None:
            return None
        scales = {
            "cent": Fraction(1, 100),
            "hundred": Fraction(100),
            "thousand": Fraction(1000),
            "million": Fraction(10**6),
        }
        return scales[(match[1] or "cent").removesuffix("s")]


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
