"""Program of thought: a short Python program whose variable `answer` holds the answer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.programs import read_program
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault, unreasoned
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.wording.infix import with_names
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.domain import Reason

PROMPT = """\
Write a Python program that computes the answer.
- One assignment a line, one line for each step of the reasoning: `kites_in_june = 48 / 2`.
- Plain arithmetic only: numbers, names that a line above has assigned, `+ - * / // %`, parentheses, and
  where a step needs them `min`, `max`, `abs` and `round`. No imports, functions, loops, conditions, lists,
  text, comments or printing. The program must run as it stands.
- Name each variable after what it holds, in lower case with underscores: `kites_in_june`, not `x` or
  `step_2`.
- Write the numbers of the problem where they are used, as bare literals: `1200`, not `1,200`, `$1200` or
  `1200 kites`; 25% is `25 / 100`. Write down no number that you worked out in your head: compute it.
- Keep every value exact. Round only where the problem asks for it or its story allows whole things only.
- The last line, and no other, assigns `answer`: `answer = 48 + kites_in_june`. It is a bare number, in the
  unit that the problem asks for; where that is a percentage, 25 and not 0.25.\
"""


@dataclass(frozen=True, slots=True)
class ProgramOfThought:
    """Writes one named assignment per step, the question's numbers as literals, and `answer` last."""

    cue: str = "Write a Python program."
    prompt: str = PROMPT

    def render(self, derivation: Derivation) -> str:
        names = [*(step.name for step in derivation.steps[:-1]), "answer"]
        write = with_names(derivation, names)
        return "\n".join(
            f"{name} = {write(step.expression)}" for name, step in zip(names, derivation.steps, strict=True)
        )

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        return sandbox.run_program(text)

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        """Report a program that computes nothing, uses no number of the question, or has an unused step."""
        program = read_program(text)
        if program is None:
            return fault(Reason.SYNTAX_ERROR, "Python itself does not parse it", answer)
        numbers = {literal.value for literal in program.literals if not literal.parts}
        found = unreasoned(numbers, origins, answer, computes=program.computes)
        if found is None and program.unused is not None:
            return fault(Reason.UNUSED_STEP, f"nothing uses `{program.unused}`", answer)
        return found

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        program = read_program(text)
        if program is None:
            return frozenset()
        changes = question.changes({literal.value for literal in program.literals})
        if changes is None:
            return frozenset()
        # A floor division may have been meant as an exact one, which it was with the old numbers: try both.
        texts = {program.with_numbers(changes, exact=exact) for exact in (False, True)}
        values = {sandbox.run_program(text).value for text in texts if text is not None}
        return frozenset(value for value in values if value is not None)


THOUGHT = ProgramOfThought()
