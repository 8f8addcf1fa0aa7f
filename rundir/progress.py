"""Writes the progress of a phase into a small file, for other processes that watch the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Thread

from pydantic import TypeAdapter

from fdd.domain import Progress
from fdd.errors import ListenerError
from fdd.rundir.listener import Listener

FILE = "progress.json"
"""Exists while a process works in the folder. It stays if that process is killed."""
DRAFT = f".{FILE}.new"
EVERY_SECONDS = 0.5
_PROGRESS = TypeAdapter(Progress)

SecondsLeft = Callable[[Progress], float | None]
"""Estimates how many seconds a run still takes; None where that is unknown."""


class Heartbeat:
    """A listener that passes everything on to another one and remembers the latest progress."""

    def __init__(self, listener: Listener, folder: Path, left: SecondsLeft) -> None:
        self._listener, self._folder, self._left = listener, folder, left
        self._latest: Progress | None = None
        self._written: Progress | None = None

    def advanced(self, progress: Progress) -> None:
        progress = replace(progress, left=self._left(progress))
        with _told_apart():
            self._listener.advanced(progress)
        self._latest = progress

    def evaluated(self, round: int) -> None:
        with _told_apart():
            self._listener.evaluated(round)

    def noticed(self, text: str) -> None:
        with _told_apart():
            self._listener.noticed(text)

    def beat(self) -> None:
        """Writes the latest progress unless it is written already.

        Ignores errors: a file that cannot be written, for example on a full disk, must not end a run.
        """
        latest = self._latest
        if latest is None or latest is self._written:
            return
        draft = self._folder / DRAFT
        with suppress(OSError):
            draft.write_text(json.dumps(asdict(latest)), "utf-8")
            draft.replace(self._folder / FILE)
            self._written = latest


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turns a listener's `OSError` into a `ListenerError`: it does not concern the run's own files."""
    try:
        yield
    except OSError as error:
        raise ListenerError(f"showing the run failed ({error}): mend that, then resume") from error


@contextmanager
def heartbeat(listener: Listener, folder: Path, left: SecondsLeft) -> Iterator[Heartbeat]:
    """Wraps the listener and writes its progress every 0.5 s, from a thread.

    The thread makes sure that the last step before a long wait is written too.
    """
    heart, ended = Heartbeat(listener, folder, left), Event()

    def go_on() -> None:
        while not ended.wait(EVERY_SECONDS):
            heart.beat()

    thread = Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        ended.set()
        thread.join()  # before the files are removed, or it might write them again
        with suppress(OSError):
            for name in (FILE, DRAFT):
                (folder / name).unlink(missing_ok=True)


def latest(folder: Path) -> Progress | None:
    """Reads the last progress written in this folder; None if there is none that can be read."""
    try:
        return _PROGRESS.validate_json((folder / FILE).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
