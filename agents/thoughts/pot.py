"""Program of thought: a short Python program whose variable `answer` holds the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.symbolic.derivation import Derivation
from agents.thoughts.base import Outcome, Sandbox
from agents.thoughts.infix import with_names


@dataclass(frozen=True, slots=True)
class ProgramOfThought:
    """One assignment a step, named after what it is; numbers of the question as literals; `answer` last."""

    name: Literal["pot"] = "pot"
    cue: str = "Write a Python program."

    def render(self, derivation: Derivation) -> str:
        names = [*(step.name for step in derivation.steps[:-1]), "answer"]
        write = with_names(derivation, names)
        return "\n".join(
            f"{name} = {write(step.expression)}" for name, step in zip(names, derivation.steps, strict=True)
        )

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        return sandbox.run_program(text)
