"""Requests through a provider's batch API: at half the price, and the replies come within a day.

The protocol is OpenAI's. A file with a request on each line is uploaded, and a batch is made of it. When the
batch has ended, its output file has a line for each reply, and its error file one for each failure.

A ledger keeps what is on the way, in the file of the call cache. So a run that is stopped or killed finds its
batches again, runs that share a cache wait for each other's, and no request is paid for twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from fdd.agents.models.cache import reply_of
from fdd.agents.models.provider import OK, LangChainModel
from fdd.agents.models.provider_errors import Setting
from fdd.agents.models.request import CallError, Fault, ModelReply, ModelRequest
from fdd.domain import StoredBatch, StoredReply, content_hash
from fdd.errors import FddError, ProviderError, StoppedError

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
"""The only time limit that OpenAI offers."""
ENDED = ("completed", "expired", "cancelled")
"""States of a batch, beside `failed`, that do not change any more."""
QUEUE_FULL = "token_limit_exceeded"
"""OpenAI's code for a batch that fails because too many tokens are on the way; a smaller one may not."""
MOST_REQUESTS, MOST_BYTES = 50_000, 190_000_000
"""Limits of one batch at OpenAI, the second with some room."""
TICK_SECONDS = 0.5
"""A batch is sent when no further request has come for this long, ..."""
LONGEST_WAIT = 20.0
"""... or after so many seconds."""
PATIENCE_SECONDS = 3600.0
"""How long a server may fail before the run ends; `resume` goes on."""
TRIES = 3
"""Batches in which a request may end without a reply, before it is given up."""
LISTED = 1000
"""Latest batches among which one is looked for whose creation was interrupted."""
PASSING = (Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.TIMEOUT)
"""Faults of a single request that another try may not have."""


class Ledger(Protocol):
    """The batches on the way, of all runs. Every method is one transaction."""

    def batches(self, server: str) -> list[StoredBatch]:
        """The batches to a model, each with only those keys that have no stored reply."""
        ...

    def claim(self, batch: StoredBatch) -> StoredBatch:
        """Store a new batch with those of its keys that have no reply and that no other batch has, and return
        it. Without such keys nothing is stored.
        """
        ...

    def get(self, key: str) -> StoredReply | None:
        """The stored reply to a request; None if there is none."""
        ...

    def update(self, batch: StoredBatch) -> None:
        """Store what is now known of a batch, except for its keys."""
        ...

    def release(self, keys: Collection[str]) -> None:
        """Note that these requests are no longer on the way."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """What came back for one request."""

    status: int
    """HTTP status."""
    body: object


class BatchModel:
    """A `ChatModel` that sends all requests that wait as one batch; belongs to one event loop."""

    def __init__(
        self,
        model: LangChainModel,
        ledger: Ledger,
        *,
        poll_seconds: float,
        notice: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Batches are looked at every `poll_seconds`. `notice` is called with what the user should know. Once
        `should_stop` returns True, all waiting requests raise `StoppedError`; their batches stay on the way.
        """
        self.name, self.address = model.name, model.address
        self._model, self._ledger = model, ledger
        self._poll_seconds, self._notice, self._should_stop = poll_seconds, notice, should_stop
        self._server = content_hash(self.name, self.address)  # the address may hold a password
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._asked: dict[str, tuple[ModelRequest, asyncio.Future[ModelReply]]] = {}
        self._on_the_way = set[str]()
        self._lines: dict[str, Line] = {}
        """Replies that came and were not asked for yet, by key."""
        self._tries = Counter[str]()
        self._left_out: dict[str, frozenset[Setting]] = {}
        """The settings without which each request was sent last."""
        self._most = MOST_REQUESTS
        self._failing: dict[str, float] = {}
        """Since when looking at a batch has failed, by its id; under `sending`, since when sending has."""
        self._next_send = self._next_look = 0.0
        self._work: asyncio.Task[None] | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Wait for the reply of a batch; raises `CallError`, and `ProviderError` if no batch can succeed."""
        key = request.key(self)
        reply: asyncio.Future[ModelReply] = asyncio.get_running_loop().create_future()
        self._asked[key] = request, reply
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve())
        return await reply

    async def close(self) -> None:
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)
        for batch in self._ledger.batches(self._server):
            if batch.owner == self._owner and not batch.remote:
                self._ledger.update(replace(batch, owner=""))  # others may make it now
        await self._model.close()

    async def _serve(self) -> None:
        """Serves for as long as a request waits. An error ends all of them."""
        try:
            await self._send_and_look()
        except Exception as error:
            for _, reply in self._asked.values():
                if not reply.done():
                    # A new exception each time: several tasks raise it, each with its own traceback.
                    known = isinstance(error, FddError)
                    reply.set_exception(type(error)(*error.args) if known else error)
            self._asked.clear()

    async def _send_and_look(self) -> None:
        now = asyncio.get_running_loop().time
        known, since = 0, now()
        self._next_look = now()
        while self._asked:
            if now() >= self._next_look:
                self._next_look = now() + self._poll_seconds
                await self._look_at_all()
            for key in self._asked.keys() & self._lines.keys():
                self._deliver(key, self._lines.pop(key))
            new = [key for key in self._asked if key not in self._on_the_way]
            if not new:
                since = now()
            elif now() >= self._next_send and (len(new) == known or now() - since > LONGEST_WAIT):
                await self._send(new)
            known = len(new)
            self._check_stop()
            await asyncio.sleep(TICK_SECONDS)

    def _check_stop(self) -> None:
        if self._should_stop():
            raise StoppedError("stopped as asked")

    # Sending

    async def _send(self, keys: list[str]) -> None:
        """Uploads the requests with these keys, and makes batches of them."""
        # Another process may have got a reply meanwhile.
        stored = {key: reply for key in keys if (reply := self._ledger.get(key)) is not None}
        for key, reply in stored.items():
            self._asked.pop(key)[1].set_result(reply_of(reply))
        lines = ((key, self._line(key)) for key in keys if key not in stored)
        for part in _parts(lines, self._most):
            self._check_stop()
            new = StoredBatch(
                id=uuid.uuid4().hex,
                file="",
                remote="",
                server=self._server,
                owner=self._owner,
                keys=tuple(part),
            )
            batch = self._ledger.claim(new)
            self._on_the_way |= part.keys()  # of the others, another process's batch will bring the reply
            if not batch.keys:
                continue
            try:
                text = "".join(part[key] for key in batch.keys).encode()
                file = await self._model.openai.files.create(file=("requests.jsonl", text), purpose="batch")
                batch = replace(batch, file=_id_of(file))
                self._ledger.update(batch)
                await self._make(batch)
            except Exception as error:  # The client's errors have many types.
                if not batch.file:
                    self._release(batch.keys)
                self._failed("sending", error)
                return
            self._failing.pop("sending", None)

    def _line(self, key: str) -> str:
        self._left_out[key] = self._model.left_out
        body = self._model.payload(self._asked[key][0])
        return f"{json.dumps({'custom_id': key, 'method': 'POST', 'url': ENDPOINT, 'body': body})}\n"

    async def _make(self, batch: StoredBatch, *, again: bool = False) -> None:
        """Makes a batch of an uploaded file; `again` if that may have been done before an interruption."""
        found = await self._made_of(batch.file) if again else ""
        if not found:
            made = await self._model.openai.batches.create(
                input_file_id=batch.file, endpoint=ENDPOINT, completion_window=WINDOW
            )
            found = _id_of(made)
            sent = f"{len(batch.keys)} requests sent as batch {self._model.told(found)}"
            self._notice(f"{self.name}: {sent}, replies within {WINDOW}")
        self._ledger.update(replace(batch, remote=found))

    async def _made_of(self, file: str) -> str:
        seen = 0
        async for batch in self._model.openai.batches.list(limit=100):
            if batch.input_file_id == file:
                return _id_of(batch)
            seen += 1
            if seen == LISTED:
                break
        return ""

    # Looking

    async def _look_at_all(self) -> None:
        batches = self._ledger.batches(self._server)
        self._on_the_way = {key for batch in batches for key in batch.keys}
        for batch in batches:
            self._check_stop()
            if self._asked.keys().isdisjoint(batch.keys):
                continue
            try:
                await self._look(batch)
                self._failing.pop(batch.id, None)
            except FddError:
                raise
            except Exception as error:  # The client's errors have many types.
                if getattr(error, "status_code", None) in (400, 404, 410):
                    told = f"batch {self._model.told(batch.remote or batch.file)} is no longer there"
                    self._notice(f"{self.name}: {told}, so its requests are sent again")
                    self._release(batch.keys)
                else:
                    self._failed(batch.id, error)

    async def _look(self, batch: StoredBatch) -> None:
        """Looks whether a batch has ended, and collects what came of it."""
        if not batch.remote:
            if batch.owner != self._owner and _is_alive(batch.owner):
                return  # its process is about to make it
            if batch.file:
                await self._make(batch, again=True)
            else:
                self._release(batch.keys)
            return
        state = await self._model.openai.batches.retrieve(batch.remote)
        if state.status == "failed":
            self._refused(batch, state)
        elif state.status in ENDED:
            await self._collect(batch, state)

    def _refused(self, batch: StoredBatch, state: Any) -> None:
        """Sends less at once if that may help; otherwise raises `ProviderError`."""
        faults = list(getattr(state.errors, "data", None) or ())
        self._release(batch.keys)
        if any(getattr(fault, "code", None) == QUEUE_FULL for fault in faults) and len(batch.keys) > 1:
            self._most = max(1, len(batch.keys) // 2)
            self._next_send = asyncio.get_running_loop().time() + self._poll_seconds
            self._notice(
                f"{self.name}: too many tokens at once, so batches have at most {self._most} requests"
            )
            return
        why = self._model.told(
            next((str(getattr(fault, "message", "")) for fault in faults), "no reason given")
        )
        raise ProviderError(f"{self.name}: the batch {self._model.told(batch.remote)} was refused: {why}")

    async def _collect(self, batch: StoredBatch, state: Any) -> None:
        counts = state.request_counts
        if not state.output_file_id and counts is not None and counts.completed:
            return  # its output file is not named yet
        wanted, found = set(batch.keys), dict[str, Line]()
        for file in filter(None, (state.output_file_id, state.error_file_id)):
            content = (await self._model.openai.files.content(file)).content
            found.update((key, line) for key, line in _lines(content) if key in wanted)
        # Those with a reply first: a failure may end the run.
        for key in sorted(batch.keys, key=lambda key: key not in found or found[key].status != OK):
            line = found.get(key)
            if key in self._asked:
                self._deliver(key, line)
            elif line is not None and line.status == OK:
                self._lines[key] = line
            else:
                self._release([key])

    def _deliver(self, key: str, line: Line | None) -> None:
        """Gives a request its reply. One that failed in a way that may pass is sent again."""
        request, reply = self._asked[key]
        if line is None:
            self._try_again(key, "the batch ended without it")
            return
        try:
            answer = self._model.read(request, line.status, line.body)
        except CallError as error:
            setting = self._model.refused(line.status, line.body)
            if setting is not None and setting not in self._left_out.get(key, frozenset()):
                self._model.leave_out(setting)
                self._release([key])
            elif error.fault in PASSING:
                self._try_again(key, error.detail)
            else:
                self._give_up(key, error)
            return
        del self._asked[key]
        reply.set_result(answer)

    def _try_again(self, key: str, why: str) -> None:
        self._release([key])
        self._tries[key] += 1
        if self._tries[key] == TRIES:
            self._give_up(
                key, CallError(Fault.REJECTED, f"no reply in {TRIES} batches, the last time: {why}")
            )

    def _give_up(self, key: str, error: CallError) -> None:
        self._release([key])
        self._asked.pop(key)[1].set_exception(CallError(error.fault, error.detail, error.retry_after))

    def _release(self, keys: Collection[str]) -> None:
        self._ledger.release(keys)
        self._on_the_way.difference_update(keys)

    def _failed(self, what: str, error: Exception) -> None:
        """Waits for the next look, or raises `ProviderError` if nothing is to be hoped for."""
        if isinstance(error, FddError):
            raise error
        failure, now = self._model.explain(error), asyncio.get_running_loop().time()
        since = self._failing.setdefault(what, now)
        if failure.fault in (Fault.DENIED, Fault.REJECTED) or now - since > PATIENCE_SECONDS:
            raise ProviderError(f"{self.name}: {failure}; mend that, then `resume` finds the batches again")
        self._next_send = now + self._poll_seconds


def _id_of(made: Any) -> str:
    """The id of what the server made; `ValueError` if it sent none."""
    found = getattr(made, "id", None)
    if not isinstance(found, str) or not found:
        raise ValueError("the reply has no id")
    return found


def _is_alive(owner: str) -> bool:
    """Whether the process, on this machine, is still there."""
    host, _, process = owner.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _parts(lines: Iterable[tuple[str, str]], most: int) -> Iterator[dict[str, str]]:
    """Divides lines by key into parts that are small enough for one batch."""
    part: dict[str, str] = {}
    size = 0
    for key, line in lines:
        length = len(line.encode())
        if part and (len(part) == most or size + length > MOST_BYTES):
            yield part
            part, size = {}, 0
        part[key] = line
        size += length
    if part:
        yield part


def _lines(content: bytes) -> Iterator[tuple[str, Line]]:
    """Reads an output or error file. Lines that do not follow the protocol count as absent."""
    for raw in content.split(b"\n"):
        try:
            line = json.loads(raw)
            key, response, error = str(line["custom_id"]), line.get("response"), line.get("error")
            if response:
                yield key, Line(int(response["status_code"]), response["body"])
            elif error:
                # Of a request that was not sent, as in a batch that expired.
                yield key, Line(503, {"error": error if isinstance(error, Mapping) else {"message": error}})
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            continue
