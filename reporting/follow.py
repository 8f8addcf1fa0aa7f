"""Follows a run from another process while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from fdd.domain import Progress
from fdd.rundir.lock import is_held
from fdd.rundir.progress import latest
from fdd.storage.records import SpanRecord
from fdd.storage.store import Store
from fdd.storage.tracing import SpanFilter, is_finished, newest_place, select_news

EVERY_SECONDS = 0.5


def follow(store: Store, folder: Path, wanted: SpanFilter) -> Iterator[SpanRecord | Progress]:
    """Yields the state of each phase so far, then new steps that match `wanted`, and progress as it changes.

    Ends when the run has finished or when no process is working on it, after all stored steps were yielded.
    """
    place, version = store.read(newest_place), ""
    known: Progress | None = None
    spans: list[SpanRecord] = []
    while True:
        # Checked before reading, so that what the run stored just before its end is still read.
        ended = not is_held(folder)
        found = store.version()
        # Opening the database takes processor time from the run, so it stays closed while nothing is new.
        if ended or spans or found != version:
            ended = ended or store.read(is_finished)
            spans, place = store.read(select_news, wanted, place)
            version = found
        yield from spans
        progress = latest(folder)
        if progress is not None and progress != known:
            yield progress
        known = progress
        if ended and not spans:
            return
        time.sleep(EVERY_SECONDS)
