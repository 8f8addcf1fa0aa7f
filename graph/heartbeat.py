"""How far a phase has come, in a small file for those who look on from another process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from domain import Progress

if TYPE_CHECKING:
    from graph.state import Listener

FILE = "progress.json"
"""There while a process works in the folder, and after one was killed."""
EVERY_SECONDS = 0.5
_PROGRESS = TypeAdapter(Progress)


class Heartbeat:
    """Hands on to a listener what it hears, and writes down the latest progress of it.

    That it cannot be written, on a full disk for example, is no reason to end a run.
    """

    def __init__(self, listener: Listener, folder: Path) -> None:
        self._listener, self._file = listener, folder / FILE
        self._phase = ("", 0)
        self._written = 0.0

    def advanced(self, progress: Progress) -> None:
        self._listener.advanced(progress)
        phase, now = (progress.phase, progress.round), monotonic()
        if phase != self._phase or now - self._written >= EVERY_SECONDS:
            self._phase, self._written = phase, now
            self._write(progress)

    def evaluated(self, round: int) -> None:
        self._listener.evaluated(round)

    def noticed(self, text: str) -> None:
        self._listener.noticed(text)

    def _write(self, progress: Progress) -> None:
        draft = self._file.with_name(f".{FILE}.new")
        with suppress(OSError):
            draft.write_text(json.dumps(asdict(progress)), "utf-8")
            draft.replace(self._file)


@contextmanager
def heartbeat(listener: Listener, folder: Path) -> Iterator[Heartbeat]:
    try:
        yield Heartbeat(listener, folder)
    finally:
        with suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)


def latest(folder: Path) -> Progress | None:
    """What was last written down, by whoever works or worked in this folder."""
    try:
        return _PROGRESS.validate_json((folder / FILE).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
