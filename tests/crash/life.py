"""One process of a run: what it is told to do, and what happens to it where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What happens to a process at a point that it passes."""

    KILL = "kill"
    KILL_STUDENT = "kill student"
    FILL = "fill"
    """The disk is full: no file gets longer than `limit` bytes."""
    FILL_STUDENT = "fill student"
    TERMINATE = "terminate"
    """Twice in a row, as `timeout` does it."""
    INTERRUPT = "interrupt"
    INTERRUPT_TWICE = "interrupt twice"
    """With some time between, and before the first."""
    RESUME = "resume"
    """Somebody tries to resume the same run; it is killed when that was refused."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """Starts with `main.py` and these arguments; ends by itself, at a point or at a moment."""

    arguments: tuple[str, ...]
    cache: str
    output: str
    """File to which what it prints is added."""
    killed: str = ""
    """File with the names of points at which earlier lives were killed: this one is killed at the first that
    is not among them, which is added; empty for none of that."""
    act: Act = Act.KILL
    at: str = ""
    """The names of the points that count begin so."""
    number: int = 0
    """At which of them the act comes; 0 for none."""
    limit: int = 0
    moment: float | None = None
    """Seconds after which it is killed from outside."""
    alone: bool = False
    """The kill from outside spares its children."""
    jumps: float = 0.0
    """Seconds by which its clock jumps, forward and back by turns, whenever somebody looks at it."""
    ordinary: bool = False
    """It has no more rights than an ordinary user, whoever started it."""


@dataclass(frozen=True, kw_only=True)
class Death:
    """How a life ended."""

    pid: int
    code: int
    """Exit code; negative for a signal."""
    seconds: float
    left: int
    """Processes of it that did not end by themselves within some seconds."""
