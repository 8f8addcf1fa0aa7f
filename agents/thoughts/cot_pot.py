"""A chain of thought, then a program of thought: the solution is explained before it is computed.

After Li et al., "Explaining solution programs" (arXiv 2404.08148):

Explanation:
It sold 48 / 2 = 24 kites in June.
It sold 48 + 24 = 72 kites in both months.
Program:
kites_in_june = 48 / 2
answer = 48 + kites_in_june
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.thoughts import cot, pot
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.domain import Reason

EXPLANATION, PROGRAM = "Explanation:", "Program:"
PROMPT = f"""\
Write two parts, each under its heading, in this order and without blank lines.
- `{EXPLANATION}` alone on its line, and below it short sentences, a line for each step of the reasoning,
  that say what is found and how: `It sold 48 / 2 = 24 kites in June.` The two sides of a `=` must be equal
  exactly.
- `{PROGRAM}` alone on its line, and below it a program that computes the same, written as the following
  instructions say.

{pot.PROMPT}\
"""


@dataclass(frozen=True, slots=True)
class ExplainedProgram:
    cue: str = "Explain the solution, then write a Python program."
    prompt: str = PROMPT

    def render(self, derivation: Derivation) -> str:
        sentences, _, _ = cot.THOUGHT.render(derivation).rpartition("\n")  # without `The answer is N.`
        return "\n".join([EXPLANATION, sentences, PROGRAM, pot.THOUGHT.render(derivation)])

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        """The outcome of the program; no arithmetic of the explanation may be wrong."""
        parts = read_parts(text)
        if parts is None:
            return fault(Reason.NO_ANSWER, f"the text has not both `{EXPLANATION}` and `{PROGRAM}`, in order")
        explanation, program = parts
        found = pot.THOUGHT.outcome(program, sandbox)
        wrong = cot.wrong_arithmetic(explanation) if found.reason.accepted else None
        return found if wrong is None else fault(Reason.WRONG_ARITHMETIC, wrong, found.value)

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        return pot.THOUGHT.flaw(program_of(text), origins, answer)

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        return pot.THOUGHT.renumbered(program_of(text), question, sandbox)


def read_parts(text: str) -> tuple[str, str] | None:
    """The explanation and the program; None unless both are there, under their headings."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if lines[:1] != [EXPLANATION] or lines.count(PROGRAM) != 1:
        return None
    place = lines.index(PROGRAM)
    explanation, program = "\n".join(lines[1:place]), "\n".join(lines[place + 1 :])
    return (explanation, program) if explanation and program else None


def program_of(text: str) -> str:
    parts = read_parts(text)
    return parts[1] if parts else ""


THOUGHT = ExplainedProgram()
