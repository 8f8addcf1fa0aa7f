"""The interface of a thought: how to ask for one, write one, and get its answer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.symbolic.derivation import Derivation
from fdd.domain import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Result of a text, a program or equations, before it is compared with a reference answer."""

    value: Fraction | None
    """The exact number that it gives, or None."""
    reason: Reason = Reason.ACCEPTED
    """ACCEPTED if it gives a value without a fault; otherwise what went wrong."""
    detail: str = ""
    """What went wrong, in one line."""


class Sandbox(Protocol):
    """Evaluates text written by a model, which can neither reach the machine nor run for long."""

    def run_program(self, source: str) -> Outcome:
        """Run a Python program; the outcome is the value of its variable `answer`."""
        ...


@runtime_checkable
class Thought(Protocol):
    """One reasoning format."""

    @property
    def cue(self) -> str:
        """One line that names the format; the student sees it with the question."""
        ...

    @property
    def prompt(self) -> str:
        """Instructions for writing a rationale in this format, for a teacher that is a language model."""
        ...

    def render(self, derivation: Derivation) -> str:
        """Write the derivation as a rationale in this format; the same derivation gives the same text."""
        ...

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        """Get the answer from a text in this format, written by a teacher or a student."""
        ...


@runtime_checkable
class Examined(Protocol):
    """A thought that can also find fault with a text whose answer is right."""

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        """Why a text with the right answer shows no reasoning; None if it does show it.

        `origins` knows which numbers the question explains.
        """
        ...

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        """The possible results of the text's steps with the question's other numbers; empty if unknown."""
        ...
