"""What all pages share: the run that they show, and the templates."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from fdd.domain import UNTAUGHT
from fdd.errors import StoreBusyError
from fdd.reporting import formats
from fdd.reporting.templating import environment
from fdd.rundir.delivery import delivered
from fdd.rundir.progress import latest
from fdd.settings import Settings
from fdd.storage.explorer import select_overview
from fdd.storage.records import EventRecord, RunRecord, SpanRecord
from fdd.storage.store import Store
from fdd.storage.summary import Summary

EVENTS = 12
"""Number of events that the run page shows."""
PATIENCE = 2.0
"""Seconds that a page waits for a writer to close the database."""
FRESH = 0.5
"""Least seconds between two reads of the overview, however often pages are requested."""
WITHIN_PHASE = 2.0
"""The same within one phase. It is longer, as the overview does not show how far a phase has come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The run as it was when the database was last read."""

    version: str
    """Version of the database file; it changes when more is stored."""
    run: RunRecord
    summary: Summary
    settings: Settings
    phases: list[SpanRecord]
    """In the order in which they first began."""
    events: list[EventRecord]
    """The latest ones, the last one first."""
    delivered: int
    """Round of the student that the run delivers; -1 for the untaught one."""


class Site:
    """One run as its pages see it. Thread-safe."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self._templates = environment("fdd.reporting.site", formats.visible)
        self._templates.globals["folder"] = folder.absolute().name
        self._lock = threading.Lock()
        self._overview: Overview | None = None
        self._read = 0.0
        self._phase: tuple[int, str] | None = None

    def overview(self) -> Overview:
        """Returns the overview, read again if the database has changed and the last read is old enough.

        While a writer has the database, returns the last one read; raises `StoreBusyError` if there is none.
        """
        with self._lock:  # of requests that come together, the first reads and the others use its result
            known, version = self._overview, self.store.version()
            progress = latest(self.folder)
            phase = (progress.round, progress.phase) if progress else None
            pause = WITHIN_PHASE if phase and phase == self._phase else FRESH
            if known is None or (known.version != version and monotonic() - self._read >= pause):
                try:
                    known = self._overview = self._read_overview(version)
                    self._read, self._phase = monotonic(), phase
                except StoreBusyError:
                    if known is None:
                        raise
            return known

    def render(self, template: str, values: Mapping[str, object]) -> str:
        return self._templates.get_template(template).render(values)

    def _read_overview(self, version: str) -> Overview:
        run, summary, phases, events = self.store.read(select_overview, EVENTS)
        best = delivered(self.store)
        return Overview(
            version=version,
            run=run,
            summary=summary,
            settings=Settings.from_json(run.settings),
            phases=phases,
            events=events,
            delivered=best.round if best else UNTAUGHT,
        )
