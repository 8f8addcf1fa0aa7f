"""Where a run stands, as seen from another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import fsum
from pathlib import Path
from typing import Literal

from fdd.domain import Progress
from fdd.rundir.lock import is_held
from fdd.rundir.progress import latest
from fdd.storage.records import EventRecord

Condition = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """The latest execution of a phase."""

    round: int
    started: datetime
    seconds: float | None
    """None if it has not finished: it is running, was interrupted, failed or was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Where a run stands."""

    condition: Condition
    round: int
    phase: str
    """The current phase, or the last one."""
    progress: Progress | None
    """How far that phase has come; None if the run is not running or has not said."""
    worked: float
    """Seconds of all phases that finished or were interrupted, without the pauses between them."""
    executions: dict[str, Execution]
    """By name of the phase."""


def status_of(folder: Path, events: Sequence[EventRecord]) -> Status:
    executions: dict[str, Execution] = {}
    worked: list[float] = []
    for event in events:
        if event.kind == "started":
            executions[event.phase] = Execution(round=event.round, started=event.time, seconds=None)
        elif event.kind in ("finished", "interrupted", "failed") and (begun := executions.get(event.phase)):
            seconds = (event.time - begun.started).total_seconds()
            worked.append(seconds)
            if event.kind == "finished":
                executions[event.phase] = replace(begun, seconds=seconds)
    last = events[-1] if events else None
    round, phase = (last.round, last.phase) if last else (0, "seed")
    condition: Condition = "running" if is_held(folder) else "interrupted"
    if condition != "running" and last and (last.phase, last.kind) == ("report", "finished"):
        condition = "finished"
    progress = latest(folder) if condition == "running" else None
    if progress is not None:
        round, phase = progress.round, progress.phase
    return Status(
        condition=condition,
        round=round,
        phase=phase,
        progress=progress,
        worked=fsum(worked),
        executions=executions,
    )
