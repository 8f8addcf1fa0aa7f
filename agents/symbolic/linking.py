"""Tying the operands of a worked solution to the numbers of the question and to earlier results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from agents.symbolic.arithmetic import value_of
from agents.symbolic.derivation import Constant, Expression, Given, Operation, Quantity, Result, leaves
from agents.symbolic.ledger import HUNDRED, ONE, Claim, Ledger, Node
from agents.symbolic.numbers import write_plain

ADDED = frozenset(
    Fraction(value)
    for value in (0, 1, 2, 3, 5, 7, 12, 24, 28, 29, 30, 31, 52, 60, 90, 100, 180, 360, 365, 366)
)
"""Whole numbers that a solution may add or subtract unexplained: calendar, clock, angles, small counts."""
_WHOLE = (4, 6, 8, 9, 10, 16, 25, 26, 36, 50, 364, 500, 1000, 1440, 1760, 2000, 2400)
_OTHERS = "3600 5280 10000 1000000 0.5 0.25 0.75 0.1 0.2 0.01 0.05 0.001 1.5"
CALENDAR = frozenset(Fraction(value) for value in (7, 52, 60, 365))
"""What changes one unit of time into another and is seldom used twice as a number of the question."""
UNITS = CALENDAR | {Fraction(value) for value in (12, 24, 30, 100, 1000)}
"""What may change one unit into another: `60 minutes * 60` uses its number and then this one."""
EVERYDAY = UNITS | {Fraction(1), Fraction(2)}
"""What needs no other explanation even where an operation without a written result gives it."""
FAMILIAR = ADDED | set(map(Fraction, _WHOLE)) | set(map(Fraction, _OTHERS.split()))
"""Numbers that a solution may multiply or divide by unexplained: units of time, length and money besides."""


class Linker:
    """Takes the claims of one solution in order, and links each to what came before it."""

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
        self.asserted = asserted - EVERYDAY
        """Values that the solution found by other means than arithmetic, and so explain nothing."""
        self.repair = repair
        self.ahead = Counter(leaf for claim in claims for leaf in leaves(claim.expression))
        """How often each number is still to be used as an operand."""
        self.here: set[Given | Result] = set()
        """What the claim at hand has used."""
        self.fault = ""
        for claim in claims:
            self._add(claim)

    def root(self, answer: Fraction) -> int | None:
        """The last sound node with this value that uses a number of the question; written ones come first."""
        nodes = self.ledger.nodes
        found = [index for index, node in enumerate(nodes) if node.sound and node.value == answer]
        found.sort(key=lambda index: (nodes[index].written is not None, index), reverse=True)
        return next((index for index in found if self._uses_question(index)), None)

    def closure(self, root: int) -> list[int]:
        """The nodes that feed the root, itself included, in order."""
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
        self.here = set()
        expression = self._link(claim.expression, claim.text, in_percent=claim.percent)
        try:
            value = self.ledger.value(expression)
        except ArithmeticError:  # repaired results have turned a divisor into zero, or grow without end
            return
        right = claim.written is None or claim.written == value
        if not right and not self.fault:
            self.fault = f"a step says {claim.written} where the value is {value}"
        sound = (right or self.repair) and self._explained(expression, FAMILIAR)
        self.ledger.append(Node(claim, expression, value, sound))

    def _explained(self, expression: Expression, constants: frozenset[Fraction]) -> bool:
        match expression:
            case Operation(sign, left, right):
                allowed = ADDED if sign in "+-" else FAMILIAR
                return self._explained(left, allowed) and self._explained(right, allowed)
            case Result(index):
                return self.ledger.nodes[index].sound
            case Constant(value):
                return abs(value) in constants - self.asserted
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
            if (known := self._part(share) or self._computed_part(share)) is not None:
                return known
            if 0 < share < 1 and (given := self._part(1 - share)) is not None:
                return Operation("-", ONE, given)
        quantities = range(len(self.ledger.quantities))
        by_hundred = divisor == 100 and any(self.ledger.is_percent(Given(index)) for index in quantities)
        linked = self._link(left, text, in_percent=in_percent or by_hundred)
        if by_hundred:
            return Operation("/", linked, HUNDRED)
        if self._part(1 / divisor) is not None:
            return Operation("/", linked, Constant(divisor))
        return Operation("/", linked, self._operand(divisor, text, in_percent=False))

    def _part(self, value: Fraction) -> Given | None:
        found = next((given for given in self.ledger.givens_of(value) if self.ledger.is_part(given)), None)
        if found is not None:
            self._use(found)
        return found

    def _computed_part(self, value: Fraction) -> Result | None:
        """An earlier result that is not whole, written again as a fraction."""
        found = None if value.denominator == 1 else next(iter(self.ledger.results(value)), None)
        if found is not None:
            self._use(found)
        return found

    def _use(self, expression: Expression) -> None:
        self.ledger.use(expression)
        self.here.update(leaf for leaf in leaves(expression) if not isinstance(leaf, Constant))

    def _operand(self, value: Fraction, text: str, *, in_percent: bool) -> Expression:
        found = (
            self._direct(value, text, in_percent=in_percent)
            or next(self.ledger.views(value), None)
            or (None if value in EVERYDAY else self.ledger.unwritten(value))
            or self._left_out(value, text)
            or Constant(value)
        )
        self.ahead[Constant(value)] -= 1
        self._use(found)
        return found

    def _direct(self, value: Fraction, text: str, *, in_percent: bool) -> Given | Result | None:
        """What equals the value: a percentage where one is due, what is not used yet, what says the same."""
        results, givens = self.ledger.results(value), self.ledger.givens_of(value)
        fresh = [leaf for leaf in results if leaf not in self.ledger.used]
        if fresh and len(fresh) >= self.ahead[Constant(value)]:  # each of them has to be used from here on
            return next((leaf for leaf in fresh if self.ledger.is_percent(leaf) == in_percent), fresh[0])

        def fitness(leaf: Given | Result) -> tuple[bool, bool, int, bool, int]:
            fits = self.ledger.is_percent(leaf) == in_percent
            latest = leaf.index if isinstance(leaf, Result) else -leaf.index
            unused = leaf not in self.ledger.used
            return fits, unused, self.ledger.overlap(leaf, text), isinstance(leaf, Result), latest

        every: list[Given | Result] = [*results, *givens]
        if value in UNITS:
            spent = self.ledger.used.difference(results) if value in CALENDAR else self.here
            every = [leaf for leaf in every if leaf not in spent]
        return max(every, key=fitness) if len(every) > 1 else next(iter(every), None)

    def _left_out(self, value: Fraction, text: str) -> Result | None:
        """A step of its own for a product that the solution uses without having computed it.

        A value that needs no explanation gets one only when it is a share of something.
        """
        familiar = value in FAMILIAR
        product = None if familiar and value < 10 else self.ledger.product(value, fresh_share=familiar)
        if product is None:
            return None
        start = max(text.find(write_plain(value)), 0)
        return self.ledger.append(
            Node(Claim(product, value, False, text, start, start), product, value, True)
        )
