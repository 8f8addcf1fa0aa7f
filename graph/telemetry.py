"""A run's spans on their way to an OpenTelemetry collector, where the environment names one.

A thread reads them from the store, as another process would; what cannot be sent is sent later, or left.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from domain import content_hash
from errors import StoreError, TelemetryError, UsageError, command_line
from settings import Telemetry, find_telemetry
from storage.records import SpanRecord
from storage.store import Store
from storage.telemetry import Exchange
from storage.tracing import Place, SpanFilter

if TYPE_CHECKING:
    from graph.otlp import Exporter
    from graph.state import Listener

FILE = "telemetry.json"
"""In the run folder: how far its spans have been sent, and a hash of where to."""
EVERY_SECONDS = 2.0
LONGEST_PAUSE = 60.0
"""Seconds between two tries where nobody takes the spans."""
FLUSH_SECONDS = 5.0
"""How much longer a run may take, at most, so that the last spans are sent."""
PAGE = 4096
"""Spans read at a time of a stored run; a run that goes on is read in pieces of a request."""
EVERYTHING = SpanFilter()


@contextmanager
def telemetry(store: Store, run: str, folder: Path, listener: Listener) -> Iterator[None]:
    """Send the run's spans while the block lasts, if they are wanted; whatever happens, the run goes on."""
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
    """Send everything that is stored of a run, as it stands; says how many spans that is.

    Raises `UsageError` where packages are missing and `TelemetryError` where nobody takes the spans.
    """
    exporter = open_exporter(target, store.run().id)
    place, sent = Place(), 0
    while True:
        spans, place = store.news(EVERYTHING, place, limit=PAGE)
        steps = [span for span in spans if span.kind != "phase"]
        if not steps:
            break
        exporter.send(steps, exchanges(store, steps))
        sent += len(steps)
    stages = store.stages()
    exporter.send(stages)
    return sent + len(stages)


def exchanges(store: Store, spans: Sequence[SpanRecord]) -> dict[str, Exchange]:
    """What was said in those of the spans that are calls, by the call's id."""
    calls = [span.subject for span in spans if span.kind == "call"]
    return store.exchanges(calls) if calls else {}


def open_exporter(target: Telemetry, run: str) -> Exporter:
    try:
        from graph.otlp import Exporter
    except ImportError:
        raise UsageError(
            "sending spans needs packages that are not installed: "
            "pip install 'feedback-driven-distillation[otel]'"
        ) from None
    return Exporter(target, run)


class Bookmark:
    """How far spans have been sent to one place, in a file: a run that is resumed goes on from there."""

    def __init__(self, folder: Path, target: Telemetry) -> None:
        self._file, self._target = folder / FILE, content_hash(target.endpoint)

    def read(self) -> Place:
        try:
            found = json.loads(self._file.read_text("utf-8"))
            if found["target"] == self._target:
                return Place(event=int(found["event"]), span=int(found["span"]))
        except (OSError, ValueError, TypeError, LookupError):
            pass  # from the beginning, then: what is sent twice is the same
        return Place()

    def write(self, place: Place) -> None:
        draft = self._file.with_name(f".{FILE}.new")
        with suppress(OSError):
            draft.write_text(json.dumps({"target": self._target, "event": place.event, "span": place.span}))
            draft.replace(self._file)


class Sender(threading.Thread):
    """Follows the store and sends each span once it has ended.

    A call whose row is not yet stored, as while problems are written, waits for the end of its phase.
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
            pause = EVERY_SECONDS if self._try() else min(2 * pause, LONGEST_PAUSE)
        self._try(last=True)

    def finish(self) -> None:
        """Send the rest, as far as that can be done in `FLUSH_SECONDS`."""
        self._ending.set()
        self.join(FLUSH_SECONDS)
        if self.is_alive():
            self._exporter.close()
            self._complain(f"cannot send the last spans to {self._exporter.server} in {FLUSH_SECONDS:g} s")

    def _try(self, *, last: bool = False) -> bool:
        """Send all that is new; False where that failed, and will be tried again."""
        try:
            while self._send_news():
                pass
            if last and self._store.is_finished():
                self._exporter.send([stage for stage in self._store.stages() if stage.kind != "phase"])
        except (TelemetryError, StoreError) as error:
            self._complain(str(error))
            return False
        return True

    def _send_news(self) -> bool:
        """False where there was nothing new; what raises is as if it had not been tried."""
        news, place = self._store.news(EVERYTHING, self._place, limit=self._exporter.longest)
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
            ready += [stage for stage in self._store.stages() if stage.id in ended]
        self._exporter.send(ready, said)
        self._place = place
        self._waiting = waiting if ended else self._waiting + waiting
        if not self._waiting:
            self._bookmark.write(place)
        return True

    def _complain(self, what: str) -> None:
        """Once in all."""
        if self._unsaid.acquire(blocking=False):
            folder = self._store.path.parent
            self._listener.noticed(
                f"{what}; the run does not need them. To send all of them later: "
                f"{command_line('trace', folder, '--otlp')}"
            )
