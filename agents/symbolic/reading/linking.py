"""Links the operands of a worked solution to the numbers of the question and to earlier results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from fdd.agents.symbolic.derivation import Constant, Expression, Given, Operation, Result, Sign, leaves
from fdd.agents.symbolic.implied import fraction_parts, is_implied, is_squared
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.arithmetic import value_of
from fdd.agents.symbolic.reading.known_numbers import HUNDRED, ONE, Claim, Known, KnownNumbers, Node


def _numbers(text: str) -> frozenset[Fraction]:
    return frozenset(map(Fraction, text.split()))


ADDED = _numbers("0 1 2 3 5 7 12 24 28 29 30 31 52 60 90 100 180 360 365 366")
"""Whole numbers that a solution may add or subtract without a source: calendar, clock, angles, counts."""
CALENDAR = _numbers("7 52 60 365")
"""Factors between units of time. A number of the question with such a value is seldom used twice."""
UNITS = CALENDAR | _numbers("12 24 30 100 1000")
"""Factors between units. In `60 minutes * 60` the first 60 is a number, the second is such a factor."""
EVERYDAY = UNITS | _numbers("1 2")
"""Numbers that are taken for constants even if an operation without a written result has this value."""
FAMILIAR = ADDED | _numbers(
    "4 6 8 9 10 16 25 26 36 50 364 500 1000 1440 1760 2000 2400 3600 5280 10000 1000000"
    " 0.5 0.25 0.75 0.1 0.2 0.01 0.05 0.001 1.5"
)
"""Numbers that a solution may multiply or divide by without a source; also units of length and money."""


class Linker:
    """Takes the claims of one solution in order and links each to the question and the claims before it."""

    def __init__(
        self, known: KnownNumbers, claims: Sequence[Claim], asserted: set[Fraction], *, repair: bool
    ) -> None:
        self.known = known
        self.parts = fraction_parts(known.quantities)
        """Numerators and denominators of the question's fractions, which a solution may use alone."""
        self.asserted = asserted - EVERYDAY
        """Values that the solution states without computing them; they are not accepted as constants."""
        self.repair = repair
        self.ahead = Counter(leaf for claim in claims for leaf in leaves(claim.expression))
        """How often each number still occurs among the operands that are not linked yet."""
        self.totals = list(_totals(claims, known.givens))
        """For each remaining claim, the values that it adds to several earlier results."""
        self.ambiguous = ""  # text of the first claim with an operand that may be either of two numbers
        self.fault = ""  # description of the first written result that is wrong
        for claim in claims:
            self._add(claim)

    def root(self, answer: Fraction) -> int | None:
        """Return the index of the last node with this value, if possible one with a written result.

        None where there is none, where that node is not sound, or where it uses no number of the question.
        Earlier nodes are not tried: they have this value by chance.
        """
        nodes = self.known.nodes
        found = [index for index, node in enumerate(nodes) if node.value == answer]
        root = max(found, key=lambda index: (nodes[index].claim.written is not None, index), default=None)
        if root is None or not nodes[root].sound:
            return None
        used = (leaf for index in self.closure(root) for leaf in leaves(nodes[index].expression))
        return root if any(isinstance(leaf, Given) for leaf in used) else None

    def closure(self, root: int) -> list[int]:
        """Return the indices of the nodes that the root depends on, including the root, in order."""
        wanted = {root}
        for index in range(root, -1, -1):
            if index in wanted:
                operands = leaves(self.known.nodes[index].expression)
                wanted |= {leaf.index for leaf in operands if isinstance(leaf, Result)}
        return sorted(wanted)

    def _add(self, claim: Claim) -> None:
        # What `_link` and the methods below it need to know of the claim.
        self.text = claim.text
        self.here: set[Known] = set()  # leaves that it has used so far
        self.unclear = False  # whether one of its operands may be either of two numbers
        self.added = self.totals.pop(0)
        values = [self.known.value(leaf) for leaf in leaves(claim.expression)]
        self.operands, self.first = Counter(values), values[0]
        expression = self._link(claim.expression, in_percent=claim.percent)
        try:
            value = self.known.value(expression)
        except ArithmeticError:  # corrected results made a divisor zero or a value exceed `MAX_BITS`
            return
        right = claim.written is None or claim.written == value
        if not right and not self.fault:
            self.fault = f"a step says {claim.written} where the value is {value}"
        if self.unclear and not self.ambiguous:
            self.ambiguous = claim.text
        sound = (right or self.repair) and not self.unclear and self._explained(expression, FAMILIAR)
        self.known.append(Node(claim, expression, value, sound))

    def _explained(self, expression: Expression, constants: frozenset[Fraction]) -> bool:
        match expression:
            case Operation(sign, left, right):
                allowed = ADDED if sign in "+-" else FAMILIAR
                return self._explained(left, allowed) and self._explained(right, allowed)
            case Result(index):
                return self.known.nodes[index].sound
            case Constant(value):
                return abs(value) in constants - self.asserted or value in self.parts
            case _:
                return True

    def _link(self, expression: Expression, *, in_percent: bool, sign: Sign = "+") -> Expression:
        """Replace constants by what they stand for. `sign` is the operation that uses the expression."""
        match expression:
            case Operation("/", left, Constant(divisor)):
                return self._quotient(left, divisor, in_percent=in_percent)
            case Operation("*", left, Constant(value)) if value == Fraction(1, 100):
                return Operation("/", self._link(left, in_percent=True, sign="*"), HUNDRED)
            case Operation(sign, left, right):
                linked = self._link(left, in_percent=in_percent, sign=sign)
                other = self._link(right, in_percent=in_percent, sign=sign)
                return self._operation(sign, linked, other)
            case _:
                return self._operand(value_of(expression), in_percent=in_percent, sign=sign)

    def _operation(self, sign: Sign, left: Expression, right: Expression) -> Operation:
        """Build the operation; mark the claim as unclear where a result is combined with itself.

        Such a repetition (`10 - 10`) suggests that one of the two is another number. It is allowed in a sum,
        and in a product of percentages or one for an area or the like (`is_squared`).
        """
        one, other = ({left}, {right}) if sign == "-" else (set(_factors(left)), set(_factors(right)))
        same = [leaf for leaf in one & other if isinstance(leaf, Result)] if sign != "+" else []
        if same and not self.unclear:
            is_power = is_squared(f"{self.known.question} {self.text}")
            self.unclear = sign != "*" or not (is_power or all(map(self.known.is_percent, same)))
        return Operation(sign, left, right)

    def _quotient(self, left: Expression, divisor: Fraction, *, in_percent: bool) -> Expression:
        """Link a division: `3/4` may be one number of the question, the 2 of `48 / 2` may be its `half`."""
        if isinstance(left, Constant):
            share = left.value / divisor
            results = self.known.results(share) if share.denominator > 1 else []
            if (known := self._part(share) or next(iter(results), None)) is not None:
                self._use(known)
                return known
            if 0 < share < 1 and (given := self._part(1 - share)) is not None:
                return Operation("-", ONE, given)
        givens = map(Given, range(len(self.known.quantities)))
        by_hundred = divisor == 100 and any(map(self.known.is_percent, givens))
        linked = self._link(left, in_percent=in_percent or by_hundred, sign="/")
        if by_hundred:
            return Operation("/", linked, HUNDRED)
        if self._part(1 / divisor) is not None:
            return Operation("/", linked, Constant(divisor))
        return self._operation("/", linked, self._operand(divisor, in_percent=False, sign="/"))

    def _part(self, value: Fraction) -> Given | None:
        found = next(filter(self.known.is_part, self.known.givens_of(value)), None)
        if found is not None:
            self._use(found)
        return found

    def _use(self, expression: Expression) -> None:
        used = {leaf for leaf in leaves(expression) if not isinstance(leaf, Constant)}
        self.known.used |= used
        self.here |= used

    def _operand(self, value: Fraction, *, in_percent: bool, sign: Sign) -> Expression:
        # From the most to the least direct source; a number without any remains a constant.
        found = (
            self._direct(value, in_percent=in_percent, sign=sign)
            or next(self.known.views(value), None)
            or (None if value in EVERYDAY else self.known.unwritten(value))
            or self._left_out(value)
            or Constant(value)
        )
        self.ahead[Constant(value)] -= 1
        self._use(found)
        return found

    def _direct(self, value: Fraction, *, in_percent: bool, sign: Sign) -> Known | None:
        """Return the number of the question or the earlier result that a value refers to.

        Prefers in this order: a percentage where one is expected and none elsewhere, a number that is not
        used yet, one whose context has the same words, and the latest result. Marks the claim as unclear on a
        tie between a quantity and a result, or if the value may also be a part of a fraction.
        """
        results, givens = self.known.results(value), self.known.givens_of(value)
        fresh = [leaf for leaf in results if leaf not in self.known.used]
        if fresh and len(fresh) >= self.ahead[Constant(value)]:  # every remaining use needs one of them
            return next((leaf for leaf in fresh if self.known.is_percent(leaf) == in_percent), fresh[0])

        in_total = value in self.added

        def nearness(leaf: Known) -> int:
            """Score shared words; -1 for a factor such as `twice` in a sum or difference."""
            if sign in "+-" and self.known.is_factor(leaf):
                return -1
            named = sign != "+" and self.operands[value] == 1 and self.known.is_named(leaf, self.text)
            return self.known.overlap(leaf, self.text) + 2 * named

        def fitness(leaf: Known) -> tuple[bool, bool, int, int]:
            fits = self.known.is_percent(leaf) == in_percent
            unused = leaf not in self.known.used and not (in_total and results)
            return fits, unused, nearness(leaf), leaf.index if isinstance(leaf, Result) else -1

        every: list[Known] = [*results, *([] if in_total and fresh else givens)]
        if value in UNITS:
            spent = self.known.used.difference(results) if value in CALENDAR else self.here
            if sign in "*/" and is_implied(f"{self.known.question} {self.text}", value):
                spent = spent | self.here
                if value != self.first and (sign == "/" or value in CALENDAR):  # it converts a unit
                    spent = spent | self.known.used.intersection(results)
            every = [leaf for leaf in every if leaf not in spent]
        others = [leaf for leaf in every if leaf not in self.here and nearness(leaf) >= 0]
        every = others if value in self.parts else others or every
        if not every:
            return None
        best = max(every, key=fitness)
        doubtful = best in givens and self._goes_on(value) and not self.known.is_named(best, self.text)
        # One shared word more may be chance where the best number was used already or is doubtful.
        margin = 1 if best in self.known.used or doubtful else 0
        rivals = [
            leaf
            for leaf in every
            if fitness(leaf)[:2] == fitness(best)[:2] and nearness(best) - nearness(leaf) <= margin
        ]
        # A later claim adds the value to other results, and this claim does not continue from it.
        awaited = self.operands[value] == 1 and not in_total and not self._goes_on(value)
        awaited = awaited and any(value in total for total in self.totals)
        if best in fresh and awaited and (told := [leaf for leaf in every if leaf in givens]):
            is_newest = best == Result(len(self.known.nodes) - 1)
            best, rivals = max(told, key=fitness), rivals if is_newest else []
        rivals = list(dict.fromkeys(map(self.known.origin, rivals)))
        kinds = {type(leaf) for leaf in rivals}
        is_part = sign in "*/" and value in self.parts and best in self.known.used.difference(givens)
        self.unclear |= is_part or (len(kinds) > 1 and self.operands[value] < len(rivals))
        return best

    def _goes_on(self, value: Fraction) -> bool:
        """Whether the current claim begins with this value and the claim before it has it as its result."""
        nodes = self.known.nodes
        return bool(nodes) and value == self.first == nodes[-1].value

    def _left_out(self, value: Fraction) -> Result | None:
        """Add a step for a product that the solution uses without computing it."""
        # A value that may also be a constant must be a share of something, and not a small number.
        familiar = value in FAMILIAR
        product = None if familiar and value < 10 else self.known.product(value, fresh_share=familiar)
        if product is None:
            return None
        start = max(self.text.find(write_plain(value)), 0)
        claim = Claim(product, value, False, self.text, start, start)
        return self.known.append(Node(claim, product, value, True))


def _totals(claims: Sequence[Claim], givens: Sequence[Fraction]) -> Iterator[frozenset[Fraction]]:
    """Yield, for each claim, the values that it adds to two or more earlier results not in the question."""
    written: set[Fraction] = set()
    for claim in claims:
        terms = [leaf.value for leaf in _terms(claim.expression) if isinstance(leaf, Constant)]
        computed = [value for value in terms if value in written and value not in givens]
        yield frozenset(
            value for value in terms if terms.count(value) == 1 and len(computed) - (value in computed) > 1
        )
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
