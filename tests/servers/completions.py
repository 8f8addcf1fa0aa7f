"""`POST /v1/chat/completions`: decides what to do with a request, does it, and logs it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from typing import TextIO

from pydantic import JsonValue
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.servers.asked import Asked, NotUnderstoodError, count_tokens, read_request
from tests.servers.manner import Act, Manner
from tests.servers.scholar import Scholar

SLOW_PIECES = 10

STATUS = {
    Act.NOT_UNDERSTOOD: HTTPStatus.BAD_REQUEST,
    Act.OVER_CAPACITY: HTTPStatus.TOO_MANY_REQUESTS,
    Act.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Act.RETRY_AFTER: HTTPStatus.TOO_MANY_REQUESTS,
    Act.SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""HTTP status of every act whose status is not 200."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line of the log: one request, written when it ended."""

    time: float
    """When it ended, in seconds since the epoch."""
    seconds: float
    """How long it took."""
    body: str
    """SHA-256 of the request's whole body, with its JSON's keys sorted."""
    sample: int | None
    task: str | None
    """None if the request was not understood."""
    thought: str | None
    done: Act
    wrong: bool
    """Whether the reply is wrong on purpose."""
    completed: bool
    """Whether everything planned was sent; False if the client disconnected before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to do with one request."""

    act: Act
    asked: Asked | None = None
    wrong: bool = False
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Whether to answer without delay, as servers do that reject a request."""
        return STATUS.get(self.act) in (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS)


class Connection(H11Protocol):
    """Gives the application its transport, without which it could not close a connection early."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Completions:
    """The endpoint. It is an ASGI application, not a request handler, to notice when a client disconnects."""

    def __init__(self, manner: Manner, scholar: Scholar, log: TextIO) -> None:
        self._manner = manner
        self._scholar = scholar
        self._log = log
        self._seen: Counter[str] = Counter()
        """How often each body was received, by its SHA-256."""
        self._busy = 0
        """Number of requests that are being served or wait for it."""
        waiting = manner.capacity if manner.over == "queue" else None
        self._slots = asyncio.Semaphore(waiting or sys.maxsize)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.time()
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        key = key_of(body)
        plan = await self._plan(key, body, request.headers.get("authorization", ""))
        line = Line(plan, request.state.transport, send)
        self._busy += not plan.at_once
        ready = asyncio.create_task(self._lead_up(line))
        gone = asyncio.create_task(_disconnect(receive))
        completed = False
        try:
            await asyncio.wait((ready, gone), return_when=asyncio.FIRST_COMPLETED)
            completed = ready.done() and not line.is_closing
        finally:
            ready.cancel()
            self._busy -= not plan.at_once
            self._record(plan, key, started, completed)
        # Nothing was awaited since the log entry, so what it calls completed is sent before anybody reads it.
        if completed:
            await line.finish()
        await gone

    async def plan(self, body: bytes) -> Plan:
        """Plans the answer to a request that came in a batch, and logs it."""
        key = key_of(body)
        plan = await self._plan(key, body, "")
        self._record(plan, key, time.time(), completed=True)
        return plan

    async def _plan(self, key: str, body: bytes, authorization: str) -> Plan:
        fault = self._fault(key)
        try:
            asked = read_request(body)
        except NotUnderstoodError as error:
            return self._error(Act.NOT_UNDERSTOOD, str(error), authorization)
        if fault in STATUS:
            return self._error(fault, fault.replace("_", " "), authorization, asked)
        plan = await self._answer(key, asked)
        if fault is None or (fault is Act.SLOW and plan.act is not Act.ANSWERED):
            return plan
        garbled = _garbled(plan.content, self._manner.chance("garbled", key))
        content = garbled if fault is Act.GARBLED else plan.content
        return replace(plan, act=fault, content=content, wrong=plan.wrong and fault is Act.SLOW)

    def _fault(self, key: str) -> Act | None:
        manner, seen = self._manner, self._seen[key]
        self._seen[key] += 1
        if manner.fail_after is not None and self._seen.total() > manner.fail_after:
            return Act.SERVER_ERROR
        if manner.over == "reject" and manner.capacity is not None and self._busy >= manner.capacity:
            return Act.OVER_CAPACITY
        return manner.transport_fault(key, seen)

    async def _answer(self, key: str, asked: Asked) -> Plan:
        chance = self._manner.chance("answer", key)
        reply = await self._scholar.reply(asked, wrong=self._manner.is_wrong(key), rng=chance)
        fault = self._manner.content_fault(key)
        act = fault or (Act.DECLINED if reply.declined else Act.ANSWERED)
        text, finish = _spoil(reply.text, fault, chance)
        wrong = reply.wrong and fault is not Act.FILTERED
        return Plan(act=act, asked=asked, wrong=wrong, content=_completion(key, asked, text, finish))

    def _error(self, act: Act, message: str, authorization: str, asked: Asked | None = None) -> Plan:
        if self._manner.echo_key:
            message += f" (Authorization: {authorization})"
        error: JsonValue = {"message": message, "type": act, "param": None, "code": act}
        headers = {"retry-after": str(self._manner.retry_after)} if act is Act.RETRY_AFTER else {}
        return Plan(act=act, asked=asked, content=json.dumps({"error": error}).encode(), headers=headers)

    async def _lead_up(self, line: Line) -> None:
        """Waits and sends as planned, up to the last piece of the answer."""
        if line.plan.at_once:
            return
        manner, length = self._manner, len(line.plan.content)
        async with self._slots:
            await asyncio.sleep(manner.latency)
            if line.plan.act is Act.HANG:
                await asyncio.sleep(manner.hang_seconds)
            elif line.plan.act is Act.DROPPED:
                await line.write(length // 2)
            elif line.plan.act is Act.SLOW:
                for piece in range(1, SLOW_PIECES):
                    await line.write(length * piece // SLOW_PIECES)
                    await asyncio.sleep(manner.slow_seconds / (SLOW_PIECES - 1))

    def _record(self, plan: Plan, key: str, started: float, completed: bool) -> None:
        now, asked = time.time(), plan.asked
        entry = Entry(
            time=now,
            seconds=round(now - started, 4),
            body=key,
            sample=asked.sample if asked else None,
            task=asked.task if asked else None,
            thought=asked.thought if asked else None,
            done=plan.act,
            wrong=plan.wrong,
            completed=completed,
        )
        self._log.write(json.dumps(asdict(entry)) + "\n")
        self._log.flush()


def key_of(body: bytes) -> str:
    """Returns the SHA-256 of a request, which does not depend on how its JSON is written."""
    with contextlib.suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    return hashlib.sha256(body).hexdigest()


class Line:
    """Sends the answer to one client."""

    def __init__(self, plan: Plan, transport: asyncio.Transport, send: Send) -> None:
        self.plan = plan
        self._transport = transport
        self._send = send
        self._written: int | None = None
        """Number of bytes of the body that were sent; None before the headers."""

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    async def write(self, upto: int) -> None:
        """Sends the headers if they have not been sent, and the body up to byte `upto`."""
        content = self.plan.content
        if self._written is None:
            self._written = 0
            await self._send(self._start())
        piece, self._written = content[self._written : upto], upto
        await self._send({"type": "http.response.body", "body": piece, "more_body": upto < len(content)})

    async def finish(self) -> None:
        """Sends the rest, or closes the connection if that is the plan."""
        if self.plan.act in (Act.HANG, Act.DROPPED):
            self._transport.close()
        else:
            await self.write(len(self.plan.content))

    def _start(self) -> dict[str, object]:
        headers = {
            "content-type": "application/json",
            "content-length": str(len(self.plan.content)),
            **self.plan.headers,
        }
        return {
            "type": "http.response.start",
            "status": STATUS.get(self.plan.act, HTTPStatus.OK).value,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }


async def _disconnect(receive: Receive) -> None:
    """Returns when the client has disconnected or has received its whole answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _completion(key: str, asked: Asked, text: str, finish: str) -> bytes:
    written = count_tokens(text)
    message: JsonValue = {"role": "assistant", "content": text}
    completion: JsonValue = {
        "id": f"chatcmpl-{key[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": asked.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": asked.prompt_tokens + written,
        },
    }
    return json.dumps(completion).encode()


def _spoil(text: str, fault: Act | None, chance: random.Random) -> tuple[str, str]:
    """Returns the text as the fault leaves it, and its finish reason."""
    if fault is Act.FILTERED:
        return "", "content_filter"
    if fault is Act.TRUNCATED:
        return text[: len(text) // 2], "length"
    if fault is Act.MALFORMED:
        return chance.choice((re.sub(r"</?\w+>", "", text), text[: text.rfind("</")])), "stop"
    return text, "stop"


def _garbled(content: bytes, chance: random.Random) -> bytes:
    return chance.choice((content[: len(content) // 2], b"<html><body>Bad gateway</body></html>"))
