"""Sends a run's spans to an OpenTelemetry collector, if the environment names one.

A thread reads the spans from the store, as another process would. It retries what it could not send. The run
itself never waits for it, except for `FLUSH_SECONDS` at its end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fdd.domain import content_hash
from fdd.errors import StoreError, TelemetryError, UsageError, command_line
from fdd.settings import Telemetry, find_telemetry
from fdd.storage.records import SpanRecord
from fdd.storage.store import Store
from fdd.storage.tracing import (
    Exchange,
    Place,
    SpanFilter,
    is_finished,
    select_exchanges,
    select_news,
    select_stages,
)

if TYPE_CHECKING:
    from fdd.rundir.listener import Listener
    from fdd.rundir.otlp import Exporter

FILE = "telemetry.json"
"""File in the run folder: how far spans have been sent, and a hash of the endpoint."""
EVERY_SECONDS = 2.0
LONGEST_PAUSE = 60.0
"""Most seconds between two tries while the collector does not accept spans."""
FLUSH_SECONDS = 5.0
"""Most seconds that the end of a run waits for the last spans to be sent."""
PAGE = 4096
"""Spans read at a time from a stored run. For a run in progress, each read fills one request."""
EVERYTHING = SpanFilter()


@contextmanager
def telemetry(store: Store, run: str, folder: Path, listener: Listener) -> Iterator[None]:
    """Sends the run's spans during the block, if the environment names a collector. Never stops the run."""
    sender = None
    try:
        if target := find_telemetry():
            sender = Sender(store, open_exporter(target, run), Bookmark(folder, target), listener)
    except UsageError as error:
        listener.noticed(f"No spans are sent: {error}")
    if sender is None:
        yield
        return
    sender.start()
    try:
        yield
    finally:
        sender.finish()


def send_run(store: Store, target: Telemetry) -> int:
    """Sends all stored spans of a run and returns their number.

    Raises `UsageError` if packages are missing and `TelemetryError` if the collector does not accept spans.
    """
    exporter = open_exporter(target, store.run().id)
    place, sent = Place(), 0
    while True:
        spans, place = store.read(select_news, EVERYTHING, place, limit=PAGE)
        steps = [span for span in spans if span.kind != "phase"]
        if not steps:
            break
        exporter.send(steps, exchanges(store, steps))
        sent += len(steps)
    stages = store.read(select_stages)
    exporter.send(stages)
    return sent + len(stages)


def exchanges(store: Store, spans: Sequence[SpanRecord]) -> dict[str, Exchange]:
    """Reads the prompts and replies of those spans that are calls, by call id."""
    calls = [span.subject for span in spans if span.kind == "call"]
    return store.read(select_exchanges, calls) if calls else {}


def open_exporter(target: Telemetry, run: str) -> Exporter:
    try:
        from fdd.rundir.otlp import Exporter
    except ImportError:
        raise UsageError(
            "sending spans needs packages that are not installed: "
            "pip install 'feedback-driven-distillation[otel]'"
        ) from None
    return Exporter(target, run)


class Bookmark:
    """File that records how far spans have been sent to an endpoint. A resumed run continues from there."""

    def __init__(self, folder: Path, target: Telemetry) -> None:
        self._file, self._target = folder / FILE, content_hash(target.endpoint)

    def read(self) -> Place:
        try:
            found = json.loads(self._file.read_text("utf-8"))
            if found["target"] == self._target:
                return Place(event=int(found["event"]), span=int(found["span"]))
        except (OSError, ValueError, TypeError, LookupError):
            pass  # start from the beginning: a span sent twice has the same id
        return Place()

    def write(self, place: Place) -> None:
        draft = self._file.with_name(f".{FILE}.new")
        with suppress(OSError):
            draft.write_text(json.dumps({"target": self._target, "event": place.event, "span": place.span}))
            draft.replace(self._file)


class Sender(threading.Thread):
    """Thread that follows the store and sends each span after it has ended.

    While problems are written, spans of calls are stored before the rows of the calls. Such a span waits for
    the end of its phase.
    """

    def __init__(self, store: Store, exporter: Exporter, bookmark: Bookmark, listener: Listener) -> None:
        super().__init__(name="telemetry", daemon=True)
        self._store, self._exporter, self._bookmark = store, exporter, bookmark
        self._listener = listener
        self._place = bookmark.read()
        self._waiting: list[SpanRecord] = []
        self._ending = threading.Event()
        self._unsaid = threading.Lock()

    def run(self) -> None:
        pause = EVERY_SECONDS
        while not self._ending.wait(pause):
            # Doubled after each failure, so that a collector that is down is not asked every two seconds.
            pause = EVERY_SECONDS if self._try() else min(2 * pause, LONGEST_PAUSE)
        self._try(last=True)

    def finish(self) -> None:
        """Sends the remaining spans and gives up after `FLUSH_SECONDS`."""
        self._ending.set()
        self.join(FLUSH_SECONDS)
        if self.is_alive():
            self._exporter.close()
            self._complain(f"cannot send the last spans to {self._exporter.server} in {FLUSH_SECONDS:g} s")

    def _try(self, *, last: bool = False) -> bool:
        """Sends all new spans. Returns False if that failed; the next call tries again."""
        try:
            while self._send_news():
                pass
            if last and self._store.read(is_finished):
                self._exporter.send(
                    [stage for stage in self._store.read(select_stages) if stage.kind != "phase"]
                )
        except (TelemetryError, StoreError) as error:
            self._complain(str(error))
            return False
        return True

    def _send_news(self) -> bool:
        """Sends one batch; returns False if there was nothing new.

        State changes only after a successful send, so that a retry sends the same spans.
        """
        news, place = self._store.read(select_news, EVERYTHING, self._place, limit=self._exporter.longest)
        if place == self._place:
            return False
        ended = {span.id for span in news if span.kind == "phase" and span.status == "finished"}
        spans = [span for span in news if span.kind != "phase"]
        if ended:
            spans += self._waiting
        said = exchanges(self._store, spans)
        waiting = [span for span in spans if span.kind == "call" and span.subject not in said]
        ready = [span for span in spans if span.kind != "call" or span.subject in said]
        if ended:
            ready += [stage for stage in self._store.read(select_stages) if stage.id in ended]
        self._exporter.send(ready, said)
        self._place = place
        self._waiting = waiting if ended else self._waiting + waiting
        # Spans that wait are only in memory: a resumed run has to read them again.
        if not self._waiting:
            self._bookmark.write(place)
        return True

    def _complain(self, what: str) -> None:
        """Tells the listener about the first problem only."""
        if self._unsaid.acquire(blocking=False):
            folder = self._store.path.parent
            self._listener.noticed(
                f"{what}; the run does not need them. To send all of them later: "
                f"{command_line('trace', folder, '--otlp')}"
            )
