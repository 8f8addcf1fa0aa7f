"""The reasoning formats that a rationale can be written in, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agents.thoughts.base import Thought
from agents.thoughts.cot import ChainOfThought
from agents.thoughts.eot import EquationOfThought
from agents.thoughts.pot import ProgramOfThought
from errors import UsageError

_ALL: tuple[Thought, ...] = (ProgramOfThought(), ChainOfThought(), EquationOfThought())

THOUGHTS: Mapping[str, Thought] = MappingProxyType({each.name: each for each in _ALL})


def thought(name: str) -> Thought:
    """The format of this name; UsageError, which lists those known, for any other."""
    if name not in THOUGHTS:
        raise UsageError(f"no thought is called {name!r}; choose from {', '.join(THOUGHTS)}")
    return THOUGHTS[name]
