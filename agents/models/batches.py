"""Requests through a provider's batch API: at half the price, and the replies come within a day.

The protocol is OpenAI's. A file with a request on each line is uploaded, and a batch is made of it. When the
batch has ended, its output file has a line for each reply, and its error file one for each failure.

What is on the way is kept in a ledger. So a run that is stopped or killed finds its batches again and pays
for none of them twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from fdd.agents.models.provider import LangChainModel
from fdd.agents.models.request import CallError, Fault, ModelReply, ModelRequest
from fdd.domain import StoredBatch
from fdd.errors import StoppedError

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
"""The only time limit that OpenAI offers."""
ENDED = ("completed", "failed", "expired", "cancelled")
MOST_REQUESTS, MOST_BYTES = 50_000, 190_000_000
"""Limits of one batch at OpenAI, the second with some room."""
TICK_SECONDS = 0.5
"""A batch is sent when no request has come for this long."""
PATIENCE = 10
"""Looks that may fail one after another before the requests of a batch do: the network may return."""
LISTED = 200
"""Latest batches among which one is looked for whose creation was interrupted."""


class Ledger(Protocol):
    """The batches on the way, of all runs."""

    def batches(self, server: str) -> list[StoredBatch]: ...

    def put_batch(self, batch: StoredBatch) -> None:
        """Store a batch, or what has become of it; one without keys is removed."""
        ...

    def get(self, key: str) -> object | None:
        """The stored reply to a request; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """What came back for one request."""

    status: int
    """HTTP status."""
    body: Mapping[str, Any]


class BatchModel:
    """A `ChatModel` that sends all requests that wait as one batch."""

    def __init__(
        self,
        model: LangChainModel,
        ledger: Ledger,
        *,
        poll_seconds: float,
        notice: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Batches are looked at every `poll_seconds`. `notice` is called with what the user should know."""
        self.name, self.address = model.name, model.address
        self._model, self._ledger = model, ledger
        self._poll_seconds, self._notice, self._should_stop = poll_seconds, notice, should_stop
        self._server = f"{self.name} {self.address}"
        self._asked: dict[str, tuple[ModelRequest, asyncio.Future[ModelReply]]] = {}
        self._lines: dict[str, Line] = {}
        """What came back and was not asked for yet, by key."""
        self._open: list[StoredBatch] | None = None
        self._failed_looks = 0
        self._work: asyncio.Task[None] | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Wait for the reply of a batch; raises `CallError`, and `StoppedError` once the run is to stop."""
        key = request.key(self)
        reply: asyncio.Future[ModelReply] = asyncio.get_running_loop().create_future()
        self._asked[key] = request, reply
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve())
        work = self._work
        await asyncio.wait((reply, work), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            del self._asked[key]
            work.result()  # raises the error that ended it
        return reply.result()

    async def close(self) -> None:
        await self._model.close()

    async def _serve(self) -> None:
        """Sends and looks at batches for as long as a request waits."""
        now = asyncio.get_running_loop().time
        waited, looked = 0, -self._poll_seconds
        while self._asked:
            if self._should_stop():
                raise StoppedError("stopped as asked")
            batches = self._batches()
            on_the_way = {key for batch in batches for key in batch.keys}
            for key in self._asked.keys() & self._lines.keys():
                self._deliver(key, self._lines.pop(key))
            new = [key for key in self._asked if key not in on_the_way]
            if new and len(new) == waited:
                await self._send(new)
                waited = 0
                continue
            waited = len(new)
            if now() - looked >= self._poll_seconds:
                looked = now()
                for batch in [each for each in batches if not self._asked.keys().isdisjoint(each.keys)]:
                    await self._look(batch)
            await asyncio.sleep(TICK_SECONDS)

    def _batches(self) -> list[StoredBatch]:
        """The batches on the way. Those of earlier processes are read once, without what has come since."""
        if self._open is None:
            self._open = []
            for batch in self._ledger.batches(self._server):
                keys = tuple(key for key in batch.keys if self._ledger.get(key) is None)
                self._update(replace(batch, keys=keys), batch)
        return self._open

    def _update(self, batch: StoredBatch, before: StoredBatch | None = None) -> None:
        if batch != before:
            self._ledger.put_batch(batch)
        assert self._open is not None
        self._open = [each for each in self._open if each.file != batch.file]
        if batch.keys:
            self._open.append(batch)

    async def _send(self, keys: Sequence[str]) -> None:
        """Uploads the requests with these keys and makes batches of them."""
        for part in _parts((key, self._line(key)) for key in keys):
            text = "".join(part.values()).encode()
            try:
                file = await self._model.openai.files.create(file=("requests.jsonl", text), purpose="batch")
            except Exception as error:  # The client's errors have many types.
                self._fail(part, self._model.explain(error))
                continue
            # Stored before the batch is made: one that nobody knows of would be paid for twice.
            batch = StoredBatch(file=file.id, batch="", server=self._server, keys=tuple(part))
            self._update(batch)
            await self._confirm(batch, is_new=True)

    def _line(self, key: str) -> str:
        body = self._model.payload(self._asked[key][0])
        line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
        return f"{json.dumps(line)}\n"

    async def _confirm(self, batch: StoredBatch, *, is_new: bool) -> None:
        """Makes a batch of an uploaded file, unless that was done before an interruption."""
        client = self._model.openai.batches
        try:
            found = None if is_new else await self._made_of(batch.file)
            made = found or await client.create(
                input_file_id=batch.file, endpoint=ENDPOINT, completion_window=WINDOW
            )
        except Exception as error:  # The client's errors have many types.
            # It may have been made all the same, so it stays on the way, and is looked for.
            self._failed(batch, self._model.explain(error))
            return
        self._update(replace(batch, batch=made.id))
        if not found:
            self._notice(
                f"{self.name}: {len(batch.keys)} requests sent as {made.id}; replies within {WINDOW}"
            )

    async def _made_of(self, file: str) -> Any:
        seen = 0
        async for batch in self._model.openai.batches.list(limit=100):
            if batch.input_file_id == file:
                return batch
            seen += 1
            if seen == LISTED:
                break
        return None

    async def _look(self, batch: StoredBatch) -> None:
        """Looks whether a batch has ended, and delivers what came of it."""
        if not batch.batch:
            await self._confirm(batch, is_new=False)
            return
        try:
            state = await self._model.openai.batches.retrieve(batch.batch)
            if state.status not in ENDED:
                self._failed_looks = 0
                return
            files = filter(None, (state.output_file_id, state.error_file_id))
            texts = [(await self._model.openai.files.content(file)).text for file in files]
        except Exception as error:  # The client's errors have many types.
            self._failed(batch, self._model.explain(error))
            return
        self._failed_looks = 0
        found = {key: line for text in texts for key, line in _lines(text)}
        faults = "; ".join(str(error.message) for error in (state.errors and state.errors.data) or ())
        fault = Fault.REJECTED if state.status == "failed" else Fault.OVERLOADED
        missing = CallError(fault, f"the batch {state.status} without this reply{faults and f': {faults}'}")
        # Failures leave the ledger, so that they may be asked again; replies leave it when they are cached.
        right = tuple(key for key in batch.keys if key in found and found[key].status == 200)
        if right != batch.keys:
            self._ledger.put_batch(replace(batch, keys=right))
        self._open = [each for each in self._batches() if each.file != batch.file]
        for key in batch.keys:
            if key in found:
                self._lines[key] = found[key]
            else:
                self._fail([key], missing)

    def _failed(self, batch: StoredBatch, error: CallError) -> None:
        """Fails the requests of a batch that cannot be looked at, at once or if it has happened too often."""
        self._failed_looks += 1
        if error.fault is Fault.DENIED or self._failed_looks >= PATIENCE:
            self._failed_looks = 0
            self._fail(batch.keys, error)

    def _deliver(self, key: str, line: Line) -> None:
        """Gives a request its reply. One that failed for a setting that can be left out is sent again."""
        request, reply = self._asked[key]
        try:
            reply.set_result(self._model.read(request, line.status, line.body))
        except CallError as error:
            if self._model.leaves_out(line.status, line.body):
                return
            reply.set_exception(error)
        del self._asked[key]

    def _fail(self, keys: Iterable[str], error: CallError) -> None:
        for key in keys:
            if key in self._asked:
                # A new exception each time: several tasks raise it, each with its own traceback.
                self._asked.pop(key)[1].set_exception(CallError(error.fault, error.detail, error.retry_after))


def _parts(lines: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Divides lines by key into parts that are small enough for one batch."""
    part: dict[str, str] = {}
    size = 0
    for key, line in lines:
        length = len(line.encode())
        if part and (len(part) == MOST_REQUESTS or size + length > MOST_BYTES):
            yield part
            part, size = {}, 0
        part[key] = line
        size += length
    if part:
        yield part


def _lines(text: str) -> Iterator[tuple[str, Line]]:
    """Reads an output or error file. Lines that are no JSON of the protocol are left out."""
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
            key, response, error = line["custom_id"], line.get("response"), line.get("error")
            if response:
                yield key, Line(int(response["status_code"]), response["body"])
            elif error:
                yield key, Line(500, {"error": error})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
