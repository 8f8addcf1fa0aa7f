"""The teacher writes rationales: the protocol that every teacher follows, and the one that needs no model."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from agents.symbolic.derivation import Derivation
from agents.symbolic.parse import derive
from agents.thoughts import thought as find_thought
from domain import Problem, Refusal, Verdict, content_hash

SPECIMEN_QUESTION = (
    "A shop sold 48 kites in May and half as many in June, each for $1,200. It gave 25% of the money away "
    "and shared the rest among 3 owners. How much did each owner get?"
)
SPECIMEN_SOLUTION = (
    "It sold 48 / 2 = <<48/2=24>>24 kites in June.\n"
    "That is (48 + 24) x $1,200 = $<<(48+24)*1200=86400>>86,400.\n"
    "It gave 86400 * .25 = $<<86400*.25=21600>>21600 away.\n"
    "Each owner got (86400 - 21600) / 3 = $<<(86400-21600)/3=21600>>21600."
)
SPECIMEN_ANSWER = Fraction(21600)


class Teacher(Protocol):
    """Anything that explains problems in a thought."""

    @property
    def name(self) -> str:
        """What it is called in settings and tables."""
        ...

    def explain(self, problem: Problem, thought: str) -> str | Refusal:
        """Write a rationale for the problem in the thought of this name."""
        ...

    def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> str | Refusal:
        """Write a better rationale than one that was rejected with this verdict."""
        ...

    def prompt_hash(self, thought: str) -> str:
        """Identifies what the teacher is asked for a thought, the problem aside."""
        ...


class SymbolicTeacher:
    """Reads the worked solution into a derivation and writes that in any thought; needs no model.

    A problem without a readable worked solution is refused.
    """

    name = "symbolic"

    def explain(self, problem: Problem, thought: str) -> str | Refusal:
        return _render(derive(problem.question, problem.solution, problem.answer), thought)

    def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> str | Refusal:
        """Read the worked solution again and correct its slips; neither rationale nor verdict is needed."""
        del rationale, verdict
        return _render(derive(problem.question, problem.solution, problem.answer, repair=True), thought)

    def prompt_hash(self, thought: str) -> str:
        """A hash of the specimen problem as this teacher explains it: a change of its writing shows."""
        specimen = _render(derive(SPECIMEN_QUESTION, SPECIMEN_SOLUTION, SPECIMEN_ANSWER), thought)
        assert isinstance(specimen, str), specimen
        return content_hash(self.name, thought, specimen)


def _render(derivation: Derivation | Refusal, thought: str) -> str | Refusal:
    return derivation if isinstance(derivation, Refusal) else find_thought(thought).render(derivation)
