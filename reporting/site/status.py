"""Where a run stands, as seen from another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import fsum
from pathlib import Path
from typing import Literal

from fdd.domain import Progress
from fdd.rundir.lock import is_held
from fdd.rundir.progress import latest
from fdd.storage.records import EventRecord

RunCondition = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """The latest execution of a phase."""

    round: int
    started: datetime
    seconds: float | None
    """None if it has not finished: it is running, was interrupted, failed or was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Where a run stands."""

    condition: RunCondition
    round: int
    phase: str
    """The current phase, or the last one."""
    progress: Progress | None
    """How far that phase has come; None if the run is not running or has not said."""
    began: datetime | None
    """When that phase began; None if no event says so."""
    worked: float
    """Seconds of all phases that ended, without the pauses between them."""
    sittings: dict[str, Sitting] = field(default_factory=dict)
    """By name of the phase."""


def status_of(folder: Path, events: Sequence[EventRecord]) -> Status:
    last = events[-1] if events else None
    condition = _condition(folder, last)
    round, phase = (last.round, last.phase) if last else (0, "seed")
    progress = latest(folder) if condition == "running" else None
    if progress is not None:
        round, phase = progress.round, progress.phase
    sittings = _sittings(events)
    return Status(
        condition=condition,
        round=round,
        phase=phase,
        progress=progress,
        began=sittings[phase].started if phase in sittings else None,
        worked=_worked(events),
        sittings=sittings,
    )


def _condition(folder: Path, last: EventRecord | None) -> RunCondition:
    if is_held(folder):
        return "running"
    done = last is not None and (last.phase, last.kind) == ("report", "finished")
    return "finished" if done else "interrupted"


def _worked(events: Sequence[EventRecord]) -> float:
    borders = [event for event in events if event.kind in ("started", "finished", "interrupted", "failed")]
    # Two starts in a row mean that the process was killed in between, at an unknown time: not counted.
    pairs = [(a, b) for a, b in pairwise(borders) if a.kind == "started" and b.kind != "started"]
    return fsum((ended.time - begun.time).total_seconds() for begun, ended in pairs)


def _sittings(events: Sequence[EventRecord]) -> dict[str, Sitting]:
    found: dict[str, Sitting] = {}
    for event in events:
        if event.kind == "started":
            found[event.phase] = Sitting(round=event.round, started=event.time, seconds=None)
        elif event.kind in ("finished", "interrupted", "failed") and (begun := found.get(event.phase)):
            seconds = (event.time - begun.started).total_seconds()
            ended = seconds if event.kind == "finished" else None
            found[event.phase] = Sitting(round=begun.round, started=begun.started, seconds=ended)
    return found
