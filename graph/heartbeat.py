"""How far a phase has come, in a small file for those who look on from another process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from domain import Progress
from errors import ListenerError

if TYPE_CHECKING:
    from graph.forecast import Clock
    from graph.state import Listener

FILE = "progress.json"
"""There while a process works in the folder, and after one was killed."""
DRAFT = f".{FILE}.new"
EVERY_SECONDS = 0.5
_PROGRESS = TypeAdapter(Progress)


class Heartbeat:
    """Hands on to a listener what it hears, and keeps the latest progress of it."""

    def __init__(self, listener: Listener, folder: Path, clock: Clock) -> None:
        self._listener, self._folder, self._clock = listener, folder, clock
        self._latest: Progress | None = None
        self._written: Progress | None = None

    def advanced(self, progress: Progress) -> None:
        progress = replace(progress, left=self._clock.left(progress))
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
        """Write down the latest progress, if it is not yet.

        That it cannot be written, on a full disk for example, is no reason to end a run.
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
    """A listener's error is not one of the run's own files."""
    try:
        yield
    except OSError as error:
        raise ListenerError(f"showing the run failed ({error}): mend that, then resume") from error


@contextmanager
def heartbeat(listener: Listener, folder: Path, clock: Clock) -> Iterator[Heartbeat]:
    """A thread writes, so that the last step before a long wait is seen as well."""
    heart, ended = Heartbeat(listener, folder, clock), Event()

    def go_on() -> None:
        while not ended.wait(EVERY_SECONDS):
            heart.beat()

    thread = Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):
            for name in (FILE, DRAFT):
                (folder / name).unlink(missing_ok=True)


def latest(folder: Path) -> Progress | None:
    """What was last written down, by whoever works or worked in this folder."""
    try:
        return _PROGRESS.validate_json((folder / FILE).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
