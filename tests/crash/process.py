"""One process of a run: how it is launched, what is done to it and where, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What is done to a process at a point that it passes."""

    KILL = "kill"
    KILL_STUDENT = "kill student"
    FILL = "fill"
    """Simulates a full disk: no file can grow beyond `limit` bytes."""
    FILL_STUDENT = "fill student"
    TERMINATE = "terminate"
    """SIGTERM twice in a row, as `timeout` sends it."""
    INTERRUPT = "interrupt"
    INTERRUPT_TWICE = "interrupt twice"
    """SIGINT twice, with 0.3 s before each."""
    RESUME = "resume"
    """Tries to resume the same run from within; the process is killed if that is refused."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A process that runs `main.py`. It ends by itself, at a point or at a moment."""

    arguments: tuple[str, ...]
    cache: str
    output: str
    """File to which its output is appended."""
    killed: str = ""
    """File with the names of points at which earlier processes were killed. This one is killed at the first
    point that is not listed, which is then added. Empty: it is not killed in this way."""
    act: Act = Act.KILL
    within: str = ""
    """Only points of this node matter, if one is named."""
    at: str = ""
    """Only points whose names start with this are counted."""
    number: int = 0
    """The count at which `act` is done, from 1; 0 for never."""
    limit: int = 0
    """Bytes that a file can have after `Act.FILL` and `Act.FILL_STUDENT`."""
    moment: float | None = None
    """Seconds after which it is killed from outside; None for never."""
    alone: bool = False
    """Whether the kill from outside spares its children."""
    jumps: float = 0.0
    """Seconds by which its clock jumps, alternately forward and back, at every reading."""
    ordinary: bool = False
    """Whether it gives up its capabilities, so that it has an ordinary user's rights even as root."""


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a process ended."""

    pid: int
    code: int
    """Exit code; negative for a signal."""
    seconds: float
    left: int
    """Number of its child processes that had to be killed, `fork_server.PATIENCE` s later."""
