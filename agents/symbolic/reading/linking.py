"""Links the operands of a worked solution to the numbers of the question and to earlier results.

`25% of 80 flew. How many stayed?` with `80 * .75 = 60` becomes `80 * (1 - 25 / 100)`, where 80 and 25 refer
to the question. In `4*6 = 24 + 10 = 34` the 24 refers to the result of `4*6`. Where an operand may equally be
either of two numbers, the claim is marked as unclear, and `parse.derive` refuses such a solution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from fdd.agents.symbolic.derivation import (
    Constant,
    Expression,
    Given,
    Operation,
    Quantity,
    Result,
    Sign,
    leaves,
)
from fdd.agents.symbolic.implied import fraction_parts, is_implied, is_squared
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.arithmetic import value_of
from fdd.agents.symbolic.reading.ledger import HUNDRED, ONE, Claim, Ledger, Node

ADDED = frozenset(
    Fraction(value)
    for value in (0, 1, 2, 3, 5, 7, 12, 24, 28, 29, 30, 31, 52, 60, 90, 100, 180, 360, 365, 366)
)
"""Whole numbers that a solution may add or subtract without a source: calendar, clock, angles, counts."""
_WHOLE = (4, 6, 8, 9, 10, 16, 25, 26, 36, 50, 364, 500, 1000, 1440, 1760, 2000, 2400)
_OTHERS = "3600 5280 10000 1000000 0.5 0.25 0.75 0.1 0.2 0.01 0.05 0.001 1.5"
CALENDAR = frozenset(Fraction(value) for value in (7, 52, 60, 365))
"""Factors between units of time. A number of the question with such a value is seldom used twice."""
UNITS = CALENDAR | {Fraction(value) for value in (12, 24, 30, 100, 1000)}
"""Factors between units. In `60 minutes * 60` the first 60 is a number, the second is such a factor."""
EVERYDAY = UNITS | {Fraction(1), Fraction(2)}
"""Numbers that are taken for constants even if an operation without a written result has this value."""
FAMILIAR = ADDED | set(map(Fraction, _WHOLE)) | set(map(Fraction, _OTHERS.split()))
"""Numbers that a solution may multiply or divide by without a source; also units of length and money."""


class Linker:
    """Takes the claims of one solution in order and links each to the question and the claims before it."""

    def __init__(
        self,
        question: str,
        quantities: Sequence[Quantity],
        claims: Sequence[Claim],
        *,
        asserted: frozenset[Fraction],
        repair: bool,
    ) -> None:
        self.ledger = Ledger(question, quantities)
        self.parts = fraction_parts(quantities)
        """Numerators and denominators of the question's fractions, which a solution may use alone."""
        self.asserted = asserted - EVERYDAY
        """Values that the solution states without computing them; they are not accepted as constants."""
        self.repair = repair
        self.ahead = Counter(leaf for claim in claims for leaf in leaves(claim.expression))
        """How often each number still occurs among the operands that are not linked yet."""
        self.totals = list(_totals(claims, self.ledger.givens))
        """For each remaining claim, the values that it adds to several earlier results."""
        self.here: set[Given | Result] = set()
        """Leaves that the current claim has used so far."""
        self.operands: Counter[Fraction] = Counter()
        """Operand values of the current claim. Equal numbers within one claim are interchangeable."""
        self.first = Fraction(0)
        """First operand of the current claim."""
        self.added: frozenset[Fraction] = frozenset()
        """Values that the current claim adds to several earlier results."""
        self.unclear = False
        """Whether an operand of the current claim may be either of two numbers."""
        self.ambiguous = ""
        """Text of the first unclear claim."""
        self.fault = ""
        """Description of the first written result that is wrong."""
        for claim in claims:
            self.added = self.totals.pop(0)
            self._add(claim)

    def root(self, answer: Fraction) -> int | None:
        """Return the index of the last node with this value, if possible one with a written result.

        None where there is none, where that node is not sound, or where it uses no number of the question.
        Earlier nodes are not tried: they have this value by chance.
        """
        nodes = self.ledger.nodes
        found = [index for index, node in enumerate(nodes) if node.value == answer]
        found.sort(key=lambda index: (nodes[index].written is not None, index), reverse=True)
        return found[0] if found and nodes[found[0]].sound and self._uses_question(found[0]) else None

    def closure(self, root: int) -> list[int]:
        """Return the indices of the nodes that the root depends on, including the root, in order."""
        wanted = {root}
        for index in range(root, -1, -1):
            if index in wanted:
                operands = leaves(self.ledger.nodes[index].expression)
                wanted |= {leaf.index for leaf in operands if isinstance(leaf, Result)}
        return sorted(wanted)

    def _uses_question(self, root: int) -> bool:
        nodes = (self.ledger.nodes[index] for index in self.closure(root))
        return any(isinstance(leaf, Given) for node in nodes for leaf in leaves(node.expression))

    def _add(self, claim: Claim) -> None:
        self.here, self.unclear = set(), False
        self.operands = Counter(map(self.ledger.value, leaves(claim.expression)))
        self.first = self.ledger.value(next(leaves(claim.expression)))
        expression = self._link(claim.expression, claim.text, in_percent=claim.percent)
        try:
            value = self.ledger.value(expression)
        except ArithmeticError:  # corrected results made a divisor zero or a value exceed `MAX_BITS`
            return
        right = claim.written is None or claim.written == value
        if not right and not self.fault:
            self.fault = f"a step says {claim.written} where the value is {value}"
        if self.unclear and not self.ambiguous:
            self.ambiguous = claim.text
        sound = (right or self.repair) and not self.unclear and self._explained(expression, FAMILIAR)
        self.ledger.append(Node(claim, expression, value, sound))

    def _explained(self, expression: Expression, constants: frozenset[Fraction]) -> bool:
        match expression:
            case Operation(sign, left, right):
                allowed = ADDED if sign in "+-" else FAMILIAR
                return self._explained(left, allowed) and self._explained(right, allowed)
            case Result(index):
                return self.ledger.nodes[index].sound
            case Constant(value):
                return abs(value) in constants - self.asserted or value in self.parts
            case _:
                return True

    def _link(self, expression: Expression, text: str, *, in_percent: bool, sign: Sign = "+") -> Expression:
        """Replace the constants of an expression by what they stand for.

        `sign` is the operation that the expression is an operand of, and `in_percent` says that a percentage
        is expected there.
        """
        match expression:
            case Operation("/", left, Constant(divisor)):
                return self._quotient(left, divisor, text, in_percent=in_percent)
            case Operation("*", left, Constant(value)) if value == Fraction(1, 100):
                return Operation("/", self._link(left, text, in_percent=True, sign="*"), HUNDRED)
            case Operation(sign, left, right):
                linked = self._link(left, text, in_percent=in_percent, sign=sign)
                other = self._link(right, text, in_percent=in_percent, sign=sign)
                return self._operation(sign, linked, other, text)
            case _:
                return self._operand(value_of(expression), text, in_percent=in_percent, sign=sign)

    def _operation(self, sign: Sign, left: Expression, right: Expression, text: str) -> Operation:
        """Build the operation; mark the claim as unclear where a result is combined with itself.

        Such a repetition (`10 - 10`) suggests that one of the two is another number. It is allowed in a sum,
        and in a product of percentages or one for an area or the like (`is_squared`).
        """
        one, other = ({left}, {right}) if sign == "-" else (set(_factors(left)), set(_factors(right)))
        same = [leaf for leaf in one & other if isinstance(leaf, Result)] if sign != "+" else []
        if same and not self.unclear:
            is_power = all(map(self.ledger.is_percent, same)) or is_squared(f"{self.ledger.question} {text}")
            self.unclear = sign != "*" or not is_power
        return Operation(sign, left, right)

    def _quotient(self, left: Expression, divisor: Fraction, text: str, *, in_percent: bool) -> Expression:
        """Link a division by a constant.

        `3/4` may be one number of the question, and the 2 of `48 / 2` may come from its `half`.
        """
        if isinstance(left, Constant):
            share = left.value / divisor
            if (known := self._part(share) or self._computed_part(share)) is not None:
                return known
            if 0 < share < 1 and (given := self._part(1 - share)) is not None:
                return Operation("-", ONE, given)
        quantities = range(len(self.ledger.quantities))
        by_hundred = divisor == 100 and any(self.ledger.is_percent(Given(index)) for index in quantities)
        linked = self._link(left, text, in_percent=in_percent or by_hundred, sign="/")
        if by_hundred:
            return Operation("/", linked, HUNDRED)
        if self._part(1 / divisor) is not None:
            return Operation("/", linked, Constant(divisor))
        return self._operation("/", linked, self._operand(divisor, text, in_percent=False, sign="/"), text)

    def _part(self, value: Fraction) -> Given | None:
        found = next((given for given in self.ledger.givens_of(value) if self.ledger.is_part(given)), None)
        if found is not None:
            self._use(found)
        return found

    def _computed_part(self, value: Fraction) -> Result | None:
        """Return an earlier result that is not whole and is written here as a fraction."""
        found = None if value.denominator == 1 else next(iter(self.ledger.results(value)), None)
        if found is not None:
            self._use(found)
        return found

    def _use(self, expression: Expression) -> None:
        self.ledger.use(expression)
        self.here.update(leaf for leaf in leaves(expression) if not isinstance(leaf, Constant))

    def _operand(self, value: Fraction, text: str, *, in_percent: bool, sign: Sign) -> Expression:
        # From the most to the least direct source; a number without any remains a constant.
        found = (
            self._direct(value, text, in_percent=in_percent, sign=sign)
            or next(self.ledger.views(value), None)
            or (None if value in EVERYDAY else self.ledger.unwritten(value))
            or self._left_out(value, text)
            or Constant(value)
        )
        self.ahead[Constant(value)] -= 1
        self._use(found)
        return found

    def _direct(self, value: Fraction, text: str, *, in_percent: bool, sign: Sign) -> Given | Result | None:
        """Return the number of the question or the earlier result that a value refers to.

        Prefers in this order: a percentage where one is expected and none elsewhere, a number that is not
        used yet, one whose context has the same words, and the latest result. Marks the claim as unclear on a
        tie between a quantity and a result, or if the value may also be a part of a fraction.
        """
        results, givens = self.ledger.results(value), self.ledger.givens_of(value)
        fresh = [leaf for leaf in results if leaf not in self.ledger.used]
        if fresh and len(fresh) >= self.ahead[Constant(value)]:  # every remaining use needs one of them
            return next((leaf for leaf in fresh if self.ledger.is_percent(leaf) == in_percent), fresh[0])

        in_total = value in self.added

        def nearness(leaf: Given | Result) -> int:
            """Score shared words; -1 for a factor such as `twice` in a sum or difference."""
            if sign in "+-" and self.ledger.is_factor(leaf):
                return -1
            named = sign != "+" and self.operands[value] == 1 and self.ledger.is_named(leaf, text)
            return self.ledger.overlap(leaf, text) + 2 * named

        def fitness(leaf: Given | Result) -> tuple[bool, bool, int, int]:
            fits = self.ledger.is_percent(leaf) == in_percent
            unused = leaf not in self.ledger.used and not (in_total and results)
            return fits, unused, nearness(leaf), leaf.index if isinstance(leaf, Result) else -1

        every: list[Given | Result] = [*results, *([] if in_total and fresh else givens)]
        if value in UNITS:
            spent = self.ledger.used.difference(results) if value in CALENDAR else self.here
            if sign in "*/" and is_implied(f"{self.ledger.question} {text}", value):
                spent = spent | self.here
                if value != self.first and (sign == "/" or value in CALENDAR):  # it converts a unit
                    spent = spent | self.ledger.used.intersection(results)
            every = [leaf for leaf in every if leaf not in spent]
        others = [leaf for leaf in every if leaf not in self.here and nearness(leaf) >= 0]
        every = others if value in self.parts else others or every
        if not every:
            return None
        best = max(every, key=fitness)
        doubtful = best in givens and self._goes_on(value) and not self.ledger.is_named(best, text)
        margin = 1 if best in self.ledger.used or doubtful else 0
        rivals = [
            leaf
            for leaf in every
            if fitness(leaf)[:2] == fitness(best)[:2] and nearness(best) - nearness(leaf) <= margin
        ]
        if best in fresh and self._is_awaited(value) and (told := [leaf for leaf in every if leaf in givens]):
            is_newest = best == Result(len(self.ledger.nodes) - 1)
            best, rivals = max(told, key=fitness), rivals if is_newest else []
        rivals = list(dict.fromkeys(map(self.ledger.origin, rivals)))
        kinds = {type(leaf) for leaf in rivals}
        is_part = sign in "*/" and value in self.parts and best in self.ledger.used.difference(givens)
        self.unclear |= is_part or (len(kinds) > 1 and self.operands[value] < len(rivals))
        return best

    def _is_awaited(self, value: Fraction) -> bool:
        """Whether a later claim adds the value to other results, and this claim does not continue from it."""
        once = self.operands[value] == 1 and value not in self.added
        return once and not self._goes_on(value) and any(value in total for total in self.totals)

    def _goes_on(self, value: Fraction) -> bool:
        """Whether the current claim begins with this value and the claim before it has it as its result."""
        nodes = self.ledger.nodes
        return bool(nodes) and value == self.first == nodes[-1].value

    def _left_out(self, value: Fraction, text: str) -> Result | None:
        """Add a step for a product that the solution uses without computing it.

        A value that may also be a constant (`FAMILIAR`) gets such a step only if it is at least 10 and a
        share of something.
        """
        familiar = value in FAMILIAR
        product = None if familiar and value < 10 else self.ledger.product(value, fresh_share=familiar)
        if product is None:
            return None
        start = max(text.find(write_plain(value)), 0)
        return self.ledger.append(
            Node(Claim(product, value, False, text, start, start), product, value, True)
        )


def _totals(claims: Sequence[Claim], givens: Sequence[Fraction]) -> Iterator[frozenset[Fraction]]:
    """Yield, for each claim, the values that it adds to two or more earlier results not in the question."""
    written: set[Fraction] = set()
    for claim in claims:
        terms = [leaf.value for leaf in _terms(claim.expression) if isinstance(leaf, Constant)]
        found = set()
        for place, value in enumerate(terms):
            others = terms[:place] + terms[place + 1 :]
            if value not in others and sum(other in written and other not in givens for other in others) > 1:
                found.add(value)
        yield frozenset(found)
        if claim.written is not None:
            written.add(claim.written)


def _terms(expression: Expression) -> Iterator[Expression]:
    """Yield the terms of a sum; nothing for any other expression."""
    if isinstance(expression, Operation) and expression.sign == "+":
        for side in (expression.left, expression.right):
            yield from _terms(side) if isinstance(side, Operation) else (side,)


def _factors(expression: Expression) -> Iterator[Expression]:
    """Yield the factors and divisors of a product or quotient; any other expression is its own factor."""
    if isinstance(expression, Operation) and expression.sign in "*/":
        yield from _factors(expression.left)
        yield from _factors(expression.right)
    else:
        yield expression
