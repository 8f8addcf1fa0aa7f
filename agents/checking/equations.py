"""Parses equations written by a model and solves them exactly; never evaluates any part of them as Python.

Each value found is inserted in the other equations, which solves every chain of steps. What is left must be
linear: sympy solves it as a matrix of fractions, and gets no text.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from fdd.agents.checking.programs import written
from fdd.agents.checking.values import MAX_BITS, TOO_LONG, fault
from fdd.agents.thoughts.base import Outcome
from fdd.domain import Reason

MAX_EQUATIONS = 60
MAX_LENGTH = 400
"""Characters on one side of an equation."""
MAX_DEPTH = 40
"""Nested parentheses, signs and powers."""
MAX_SYSTEM_BITS = 2 * MAX_BITS
"""Size of all coefficients of simultaneous equations together."""

TOKEN = re.compile(
    r"\s*([0-9]+(?:\.[0-9]+)?(?![\w.])|\.[0-9]+(?![\w.])|[A-Za-z_][A-Za-z0-9_]*|\*\*|[-+*/()])"
)
CALL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*[.(\[]")

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
SIGN_BINDING = 3
"""Precedence of a sign: `-x ** 2` is `-(x ** 2)`, `-x * y` is `(-x) * y`."""

T = TypeVar("T")


class Refused(Exception):  # noqa: N818 - a finding about the text, not a fault of ours
    """The equations cannot be parsed or computed; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class NonlinearError(Exception):
    """An expression is not linear in the unknowns that are left."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A binary operation; `-x` is represented as `0 - x`."""

    sign: str
    left: Expression
    right: Expression


Expression = Fraction | str | Operation
"""A number, the name of a quantity, or an operation on two expressions."""


def read_equation(text: str) -> Operation:
    """Parse `2 * clips_in_may = 48` as the difference of its sides; raises `Refused` for anything else."""
    sides = text.split("=")
    if len(sides) != 2:
        raise _syntax(f"an equation has one `=`, not {len(sides) - 1}: {_shown(text)}")
    return Operation("-", read_expression(sides[0]), read_expression(sides[1]))


def read_expression(text: str) -> Expression:
    """Parse names, decimal numbers, `+ - * / **`, signs and parentheses, all ASCII; raises `Refused`."""
    if len(text) > MAX_LENGTH:
        raise Refused(fault(Reason.MEMORY_LIMIT, f"an equation is longer than {MAX_LENGTH} characters"))
    if found := CALL.search(text):
        raise Refused(fault(Reason.FORBIDDEN, f"no calls, attributes or items in equations: {found[0]!r}"))
    return _Reader(text).whole()


def evaluate(expression: Expression, number: Callable[[Fraction], T], name: Callable[[str], T]) -> T:
    """Compute an expression in the type to which `number` and `name` convert its leaves."""
    if isinstance(expression, Fraction):
        return number(expression)
    if isinstance(expression, str):
        return name(expression)
    left = evaluate(expression.left, number, name)
    result: T = OPERATORS[expression.sign](left, evaluate(expression.right, number, name))
    return result


def operands_of(expression: Expression) -> Iterator[Fraction | str]:
    """Yield its numbers and names, from left to right."""
    if isinstance(expression, Operation):
        yield from operands_of(expression.left)
        yield from operands_of(expression.right)
    else:
        yield expression


def idle_equation(equations: Sequence[Operation], unknown: str) -> int | None:
    """The index of the first equation that the unknown does not need; None if it needs all.

    Such an equation has no names, or one that occurs in no other needed equation and is not the unknown.
    """
    names = [{each for each in operands_of(equation) if isinstance(each, str)} for equation in equations]
    idle: set[int] = set()
    while True:
        needed = [index for index in range(len(equations)) if index not in idle]
        uses = Counter(name for index in needed for name in names[index])
        more = {
            index
            for index in needed
            if not names[index] or any(uses[name] == 1 and name != unknown for name in names[index])
        }
        if not more:
            return min(idle, default=None)
        idle |= more


def with_numbers(text: str, changes: Mapping[Fraction, Fraction]) -> str:
    """The equation with its numbers replaced according to `changes`."""

    def change(token: re.Match[str]) -> str:
        number = token[1]
        if number[0] not in ".0123456789" or Fraction(number) not in changes:
            return token[0]
        return f" {written(changes[Fraction(number)])}"

    return TOKEN.sub(change, text)


class _Reader:
    """Precedence climbing over the tokens of one side (V. Pratt, POPL 1973)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), ""]
        self._at = 0

    def whole(self) -> Expression:
        expression = self._expression(1, 0)
        if self._next():
            raise _syntax(f"an operator is missing: {_shown(self._text)}")
        return expression

    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _expression(self, least: int, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _syntax(f"more than {MAX_DEPTH} levels deep")
        left = self._operand(depth + 1)
        while (sign := self._next()) in BINDING and BINDING[sign] >= least:
            self._take()
            # `**` groups from the right, the others from the left.
            least_right = BINDING[sign] if sign == "**" else BINDING[sign] + 1
            left = Operation(sign, left, self._expression(least_right, depth + 1))
        return left

    def _operand(self, depth: int) -> Expression:
        token = self._take()
        if token in ("+", "-"):
            return Operation(token, Fraction(0), self._expression(SIGN_BINDING, depth))
        if token == "(":
            inside = self._expression(1, depth)
            if self._take() != ")":
                raise _syntax(f"a parenthesis is not closed: {_shown(self._text)}")
            return inside
        if not token or token in ")*/**":
            raise _syntax(f"a number or a name is missing: {_shown(self._text)}")
        return Fraction(token) if token[0] in ".0123456789" else token


def _tokens(text: str) -> Iterable[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise _syntax(f"cannot read {_shown(text[at:])}")
        at = found.end()
        yield found[1]


@dataclass(frozen=True, slots=True)
class Linear:
    """`constant + sum(factor * name)`; operations raise `NonlinearError` if the result has another form."""

    constant: Fraction
    terms: Mapping[str, Fraction] = field(default_factory=dict)
    """Factors by name; never 0."""

    def __post_init__(self) -> None:
        numbers = (self.constant, *self.terms.values())
        if any(max(n.numerator.bit_length(), n.denominator.bit_length()) > MAX_BITS for n in numbers):
            raise Refused(TOO_LONG)

    def __add__(self, other: Linear) -> Linear:
        terms = dict(self.terms)
        for name, factor in other.terms.items():
            terms[name] = terms.get(name, Fraction(0)) + factor
        return Linear(self.constant + other.constant, {name: f for name, f in terms.items() if f})

    def __sub__(self, other: Linear) -> Linear:
        return self + other.times(Fraction(-1))

    def __mul__(self, other: Linear) -> Linear:
        if self.terms and other.terms:
            raise NonlinearError
        return self.times(other.constant) if self.terms else other.times(self.constant)

    def __truediv__(self, other: Linear) -> Linear:
        if other.terms:
            raise NonlinearError
        if other.constant == 0:
            raise Refused(fault(Reason.RUNTIME_ERROR, "division by zero"))
        return self.times(1 / other.constant)

    def __pow__(self, other: Linear) -> Linear:
        power = other.constant
        if self.terms or other.terms or power.denominator != 1:
            raise NonlinearError
        base = self.constant
        if base == 0 and power < 0:
            raise Refused(fault(Reason.RUNTIME_ERROR, "division by zero"))
        # Checked before the power is computed, which could take all memory.
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(power) > 2 * MAX_BITS:
            raise Refused(TOO_LONG)
        return Linear(base ** int(power))

    def times(self, factor: Fraction) -> Linear:
        return Linear(self.constant * factor, {name: f * factor for name, f in self.terms.items() if factor})


def solve_equations(equations: Sequence[str], unknown: str) -> Outcome:
    """The value of one unknown, or why there is none; any contradiction between the equations is a fault.

    Each equation must be linear in the names that the others leave open.
    """
    if len(equations) > MAX_EQUATIONS:
        return fault(Reason.MEMORY_LIMIT, f"more than {MAX_EQUATIONS} equations")
    try:
        read = {text: read_equation(text) for text in equations}
        if not any(unknown in operands_of(equation) for equation in read.values()):
            return fault(Reason.NO_ANSWER, f"no equation mentions {unknown!r}")
        values = _solve(read)
    except Refused as refused:
        return refused.outcome
    if unknown not in values:
        return fault(Reason.MANY_SOLUTIONS, f"the equations leave {unknown!r} open")
    return Outcome(value=values[unknown].constant)


def _solve(equations: Mapping[str, Operation]) -> dict[str, Linear]:
    """The values that the equations give to names, each a constant."""
    values: dict[str, Linear] = {}

    def value(name: str) -> Linear:
        return values.get(name) or Linear(Fraction(0), {name: Fraction(1)})

    waiting = dict(equations)
    progress = True
    # Repeated, because each value found can make the other equations simpler.
    while progress:
        progress = False
        coupled, nonlinear = [], []
        for text, equation in list(waiting.items()):
            try:
                zero = evaluate(equation, Linear, value)
            except NonlinearError:
                nonlinear.append(text)
                continue
            if len(zero.terms) > 1:
                coupled.append(zero)
                continue
            if zero.terms:
                ((name, factor),) = zero.terms.items()
                values[name] = Linear(zero.constant).times(-1 / factor)
            elif zero.constant:
                raise Refused(fault(Reason.NO_SOLUTION, f"it contradicts the others: {_shown(text)}"))
            del waiting[text]
            progress = True
        if coupled and not progress:
            found = _solve_together(coupled)
            values |= found
            progress = bool(found)
    if nonlinear:
        raise Refused(fault(Reason.NONLINEAR, f"not linear in its unknowns: {_shown(nonlinear[0])}"))
    return values


def _solve_together(zeros: Sequence[Linear]) -> dict[str, Linear]:
    """The values that the simultaneous equations `zero = 0` give to names; empty if they fix none."""
    # Imported here because it takes half a second and 40 MB, and chains of steps do not need it.
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    numbers = [number for zero in zeros for number in (zero.constant, *zero.terms.values())]
    # No number of the elimination is much longer than all coefficients together (Hadamard's bound).
    if sum(n.numerator.bit_length() + n.denominator.bit_length() for n in numbers) > MAX_SYSTEM_BITS:
        detail = f"simultaneous equations with more than {MAX_SYSTEM_BITS} bits of coefficients"
        raise Refused(fault(Reason.MEMORY_LIMIT, detail))
    names = list(dict.fromkeys(name for zero in zeros for name in zero.terms))
    rows = [[*(zero.terms.get(name, Fraction(0)) for name in names), -zero.constant] for zero in zeros]
    matrix = [[QQ(n.numerator, n.denominator) for n in row] for row in rows]
    reduced, pivots = DomainMatrix(matrix, (len(rows), len(names) + 1), QQ).rref()
    if len(names) in pivots:
        raise Refused(fault(Reason.NO_SOLUTION, "the equations contradict each other"))
    solved = zip(pivots, reduced.to_list(), strict=False)
    return {
        names[pivot]: Linear(Fraction(int(row[-1].numerator), int(row[-1].denominator)))
        for pivot, row in solved
        if not any(row[pivot + 1 : -1])
    }


def _syntax(detail: str) -> Refused:
    return Refused(fault(Reason.SYNTAX_ERROR, detail))


def _shown(text: str) -> str:
    return ascii(text.strip()[:80])
