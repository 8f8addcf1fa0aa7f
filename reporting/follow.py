"""A run as it goes on, watched from another process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from domain import Progress
from graph.heartbeat import latest
from graph.lock import is_held
from storage.records import SpanRecord
from storage.store import Store
from storage.tracing import SpanFilter

EVERY_SECONDS = 0.5


def follow(store: Store, folder: Path, wanted: SpanFilter) -> Iterator[SpanRecord | Progress]:
    """How each phase stands, then wanted steps and the progress as they come.

    Ends with the run, and when no process is at work on it.
    """
    place, version = store.newest(), ""
    known: Progress | None = None
    spans: list[SpanRecord] = []
    while True:
        ended = not is_held(folder)
        found = store.version()
        if ended or spans or found != version:  # else it stays closed: opening it takes the run's processors
            ended = ended or store.is_finished()
            spans, place = store.news(wanted, place)
            version = found
        yield from spans
        progress = latest(folder)
        if progress is not None and progress != known:
            yield progress
        known = progress
        if ended and not spans:
            return
        time.sleep(EVERY_SECONDS)
