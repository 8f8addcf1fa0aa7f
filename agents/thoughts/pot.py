"""Program of thought: a short Python program whose variable `answer` holds the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agents.symbolic.derivation import Derivation
from agents.thoughts.base import Outcome, Sandbox
from agents.thoughts.infix import with_names


def described(derivation: Derivation) -> list[str]:
    """The names that the derivation took from the text."""
    return [step.name for step in derivation.steps]


def lettered(derivation: Derivation) -> list[str]:
    """`a`, `b`, `c`, ...: a token each, and they say nothing."""
    return [chr(ord("a") + index) if index < 26 else f"s{index}" for index in range(len(derivation.steps))]


@dataclass(frozen=True, slots=True)
class ProgramOfThought:
    """One assignment a step, numbers of the question as literals, `answer` last."""

    names: Callable[[Derivation], list[str]] = described
    comments: bool = False
    """Put the sentence of the solution behind each line."""
    name: Literal["pot"] = "pot"
    cue: str = "Write a Python program."

    def render(self, derivation: Derivation) -> str:
        names = [*self.names(derivation)[:-1], "answer"]
        write = with_names(derivation, names)
        lines = [
            f"{name} = {write(step.expression)}" + (f"  # {step.text}" if self.comments and step.text else "")
            for name, step in zip(names, derivation.steps, strict=True)
        ]
        return "\n".join(lines)

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        return sandbox.run_program(text)
