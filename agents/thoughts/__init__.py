"""The reasoning formats of rationales; each is a module with one constant `THOUGHT`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from fdd.agents.thoughts.base import Thought
from fdd.errors import UsageError


def known() -> tuple[str, ...]:
    """The names of the formats in this folder, in alphabetical order."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "base"))


@cache
def thought(name: str) -> Thought:
    """The format of this name: `pot` is `agents/thoughts/pot.py`; a dotted name is any importable module.

    Raises UsageError, with advice, if there is none.
    """
    if "." in name and all(part.isidentifier() for part in name.split(".")):
        return _load(name, name)
    if name not in known():
        raise UsageError(
            f"no thought is called {name!r}; choose from {', '.join(known())}, "
            "or name a module of your own with its package: mypackage.rap"
        )
    return _load(name, f"{__name__}.{name}")


def _load(name: str, module: str) -> Thought:
    try:
        found = getattr(import_module(module), "THOUGHT", None)
    except (ImportError, SyntaxError) as error:
        raise UsageError(
            f"the thought {name!r} cannot be imported ({error}): put the folder of its package on PYTHONPATH"
        ) from None
    if not isinstance(found, Thought):
        raise UsageError(
            f"the module of the thought {name!r} has no THOUGHT that follows agents.thoughts.base.Thought: "
            "give it one with cue, prompt, render and outcome"
        )
    return found
