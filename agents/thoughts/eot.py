"""Equation of thought: one equation per line, then the unknown that is asked for; a solver finds its value.

clips_in_may * 2 = 48
clips = 48 + clips_in_may
solve for clips
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.checking.equations import (
    idle_equation,
    operands_of,
    read_equation,
    solve_equations,
    with_numbers,
)
from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault, unreasoned
from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Operation, Result, Step
from fdd.agents.symbolic.wording.infix import with_names
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.domain import Reason

PROMPT = """\
Write the problem as a system of equations. A program solves it, so you need not compute any result.
- One equation a line, with exactly one `=`: `kites_in_june * 2 = 48`. Write each relation as the problem
  tells it; an unknown may stand on either side.
- Both sides are made of numbers, names, `+ - * / **` and parentheses, and of nothing else. Write every
  multiplication with `*`: `2 * kites_in_may`, never `2 kites_in_may` or `2(48)`. No functions, no `<` or `>`,
  no text, no comments.
- Name each unknown after what it is, in lower-case English letters with underscores: `kites_in_june`, not
  `x`.
- Write numbers bare: `1200`, not `1,200`, `$1200` or `1200 kites`; 25% is `25 / 100`. Write down no number
  that you worked out in your head: write the equation that gives it.
- The equations must fix the value of every unknown: one equation for each, none that contradicts another.
- An equation must be linear in what the others leave open: no product, quotient or power of two unknowns.
- The last line is `solve for NAME`, with the one unknown that the problem asks for, in the unit that it
  asks for (where that is a percentage, 25 and not 0.25): `solve for kites_in_june`. Nothing stands after it.\
"""

_QUESTION = re.compile(r"solve for ([A-Za-z_]\w*)", re.ASCII)
_HUNDRED = Constant(Fraction(100))


@dataclass(frozen=True, slots=True)
class EquationOfThought:
    """Writes each relation as the problem states it, a division as a multiplication: `share * 3 = 12`."""

    cue: str = "Write equations."
    prompt: str = PROMPT

    def render(self, derivation: Derivation) -> str:
        names = [step.name for step in derivation.steps]
        write = with_names(derivation, names)
        lines = [_equation(Result(index), step, write) for index, step in enumerate(derivation.steps)]
        return "\n".join([*lines, f"solve for {names[-1]}"])

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:  # noqa: ARG002
        """Solve the equations; the text must end in its only `solve for` line."""
        *lines, last = [line.strip() for line in text.splitlines() if line.strip()] or [""]
        asked = _QUESTION.fullmatch(last)
        if asked is None:
            return fault(Reason.NO_ANSWER, "the last line is no `solve for NAME`")
        wrong = next((line for line in lines if line.count("=") != 1), None)
        if wrong is not None:
            return fault(Reason.SYNTAX_ERROR, f"{wrong[:80]!r} is no equation")
        return solve_equations(lines, asked[1])

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        """Report equations that compute nothing, use no number of the question, or are not needed."""
        lines, unknown = _parts(text)
        equations = [read_equation(line) for line in lines]
        operands = [operand for each in equations for operand in operands_of(each)]
        numbers = {operand for operand in operands if isinstance(operand, Fraction)}
        # An equation without any operation, `x = 5`, has two operands.
        found = unreasoned(numbers, origins, answer, computes=len(operands) > 2 * len(equations))
        if found is None and (idle := idle_equation(equations, unknown)) is not None:
            return fault(Reason.UNUSED_STEP, f"nothing uses `{lines[idle][:80]}`", answer)
        return found

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:  # noqa: ARG002
        lines, unknown = _parts(text)
        numbers = {operand for line in lines for operand in operands_of(read_equation(line))}
        changes = question.changes({number for number in numbers if isinstance(number, Fraction)})
        if changes is None:
            return frozenset()
        value = solve_equations([with_numbers(line, changes) for line in lines], unknown).value
        return frozenset(() if value is None else (value,))


def _parts(text: str) -> tuple[list[str], str]:
    """The equations and the unknown of a text whose form `outcome` has accepted."""
    *lines, last = (line.strip() for line in text.splitlines() if line.strip())
    return lines, last.removeprefix("solve for ")


def _equation(unknown: Result, step: Step, write: Callable[[Expression], str]) -> str:
    """Write `unknown = expression`, or `unknown * divisor = dividend` for a division, except by 100."""
    match step.expression:
        # A division by 100 is kept, as percentages are written so: `25 / 100`.
        case Operation("/", dividend, divisor) if divisor != _HUNDRED:
            return f"{write(Operation('*', unknown, divisor))} = {write(dividend)}"
        case _:
            return f"{write(unknown)} = {write(step.expression)}"


THOUGHT = EquationOfThought()
