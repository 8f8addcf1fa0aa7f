"""What every thought offers: how to ask for it, how to write it, and how to get the answer out of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from agents.origins import Origins
from agents.renumbered import Renumbered
from agents.symbolic.derivation import Derivation
from domain import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a text, a program or equations came to, before anybody compares it with a reference."""

    value: Fraction | None
    """The number it gives, exact; None where it gives none."""
    reason: Reason = Reason.ACCEPTED
    """ACCEPTED where a value was got without fault; else what went wrong."""
    detail: str = ""
    """What went wrong, in one line."""


class Sandbox(Protocol):
    """Where text written by a model is evaluated: nothing in it can reach the machine or run for long."""

    def run_program(self, source: str) -> Outcome:
        """Run a Python program; the outcome is the value of its variable `answer`."""
        ...

    def solve(self, equations: Sequence[str], unknown: str) -> Outcome:
        """Solve equations such as `2 * clips_in_may = 48` for one unknown.

        Each has one `=` between two expressions of names, numbers, `+ - * /`, `**`, unary minus and
        parentheses; an unknown may stand on either side.
        """
        ...


@runtime_checkable
class Thought(Protocol):
    """One reasoning format."""

    @property
    def cue(self) -> str:
        """One line shown to the student with the question, naming the format."""
        ...

    @property
    def prompt(self) -> str:
        """How a rationale in this format is written, told to a teacher that is a language model."""
        ...

    def render(self, derivation: Derivation) -> str:
        """Write the derivation as a rationale in this format; the same derivation gives the same text."""
        ...

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        """Get the answer out of any text in this format, whoever wrote it."""
        ...


@runtime_checkable
class Examined(Protocol):
    """What a thought offers besides so that its texts can be refused although their answer is right."""

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        """Why a text with the right answer shows no reasoning; None where it does.

        `origins` tells which numbers the question explains.
        """
        ...

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        """What the steps of the text may give with the question's other numbers; empty where unknown."""
        ...
