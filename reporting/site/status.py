"""Where a run stands, as seen from another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Literal

from fdd.domain import Progress
from fdd.rundir.lock import is_held
from fdd.rundir.progress import latest
from fdd.storage.records import SpanRecord

Condition = Literal["running", "finished", "interrupted"]


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
    """Seconds of all phases, without the pauses between them."""
    phases: dict[str, SpanRecord]
    """The phase of the latest round that had it, by name."""


def status_of(folder: Path, phases: Sequence[SpanRecord]) -> Status:
    """Returns where the run in this folder stands; `phases` are in the order in which they first began."""
    begun = [each for each in phases if each.status == "running"] or phases
    last = begun[-1] if begun else None
    round, phase = (last.round, last.phase) if last else (0, "seed")
    condition: Condition = "running" if is_held(folder) else "interrupted"
    if condition != "running" and last and (last.phase, last.status) == ("report", "finished"):
        condition = "finished"
    progress = latest(folder) if condition == "running" else None
    if progress is not None:
        round, phase = progress.round, progress.phase
    return Status(
        condition=condition,
        round=round,
        phase=phase,
        progress=progress,
        worked=fsum(each.seconds for each in phases),
        phases={each.phase: each for each in phases},
    )
