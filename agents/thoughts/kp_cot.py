"""Key points, then a chain of thought: the core question, the facts that matter, the solution.

After KPDD (Zhu et al., arXiv 2407.10167), with its three parts in one text:

Core question: How many kites were not red?
Problem-solving information:
- A shop sold 48 kites in May and half as many in June.
Solution:
It sold 48 / 2 = 24 kites in June.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.wording.keypoints import read_keypoints
from fdd.agents.thoughts import cot
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.agents.thoughts.cot import ChainOfThought
from fdd.agents.thoughts.pot import ProgramOfThought
from fdd.domain import Reason

CORE, INFORMATION, SOLUTION = HEADINGS = ("Core question:", "Problem-solving information:", "Solution:")

PROMPT = f"""\
Write three parts, each under its heading, in this order and without blank lines.
- `{CORE}` and, on the same line, one sentence that asks for what is to be found. Name whom or
  what it is about, and leave out the conditions of the problem.
- `{INFORMATION}` alone on its line, and below it the facts of the problem that the
  solution needs, a line each: `- ` and a full sentence with the numbers as the problem gives them. Compute
  nothing yet, and leave out what the solution does not use.
- `{SOLUTION}` alone on its line, and below it the solution, written as the following instructions say.

"""


@dataclass(frozen=True, slots=True)
class KeyPointThought:
    """The key points, then the solution in another thought."""

    solution: ChainOfThought | ProgramOfThought
    cue: str

    @property
    def prompt(self) -> str:
        return PROMPT + self.solution.prompt

    def render(self, derivation: Derivation) -> str:
        core, facts = read_keypoints(derivation)
        information = [f"- {fact}" for fact in facts]
        solution = self.solution.render(derivation)
        return "\n".join([f"{CORE} {core}", INFORMATION, *information, SOLUTION, solution])

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        """The outcome of the solution; all three parts must be there and none may be empty."""
        try:
            *_, solution = read_parts(text)
        except ValueError as error:
            return fault(Reason.NO_ANSWER, str(error))
        return self.solution.outcome(solution, sandbox)

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        return self.solution.flaw(read_parts(text)[-1], origins, answer)

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        return self.solution.renumbered(read_parts(text)[-1], question, sandbox)


def read_parts(text: str) -> tuple[str, tuple[str, ...], str]:
    """The core question, the facts and the solution; raises ValueError unless all are there, in order."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    first, second, third = (_place(heading, lines) for heading in HEADINGS)
    if not 0 == first < second < third:
        raise ValueError(f"the headings are not in this order: {' '.join(HEADINGS)}")
    core = lines[0].removeprefix(CORE).strip()
    # The core question is one line, so the next heading must be on the second.
    if not core or second > 1:
        raise ValueError(f"`{CORE}` is not followed by one sentence on its line")
    information = [line.removeprefix("- ").strip() for line in lines[second + 1 : third]]
    if not all(line.startswith("- ") for line in lines[second + 1 : third]) or not all(information or [""]):
        raise ValueError(f"below `{INFORMATION}` not every line is a fact behind `- `")
    if not lines[third + 1 :]:
        raise ValueError(f"nothing stands below `{SOLUTION}`")
    return core, tuple(information), "\n".join(lines[third + 1 :])


def _place(heading: str, lines: Sequence[str]) -> int:
    """The index of a heading's line; every heading but the first must be alone on its line."""
    places = [place for place, line in enumerate(lines) if line.startswith(heading)]
    if len(places) != 1:
        raise ValueError(f"`{heading}` stands in the text {len(places)} times instead of once")
    if heading != CORE and lines[places[0]] != heading:
        raise ValueError(f"`{heading}` is not alone on its line")
    return places[0]


THOUGHT = KeyPointThought(cot.THOUGHT, cue="Name the core question and the facts, then think step by step.")
