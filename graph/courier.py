"""Asks a model from a separate process, so that no reply is lost when the run is killed.

Every request that was sent costs money, even if nobody waits for its reply. The process therefore stores each
reply in the call cache before it passes it on. It has its own session, so that Ctrl-C does not reach it, and
it ends when its input is closed and every reply is stored. It reads one JSON request per line and writes one
JSON line per answer: `python -m fdd.graph.courier '{"name": "openai:gpt-4o-mini", ...}'`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fdd import IMPORT_ROOT
from fdd.agents.models.cache import to_cache
from fdd.agents.models.caller import answered, sent
from fdd.agents.models.prices import Price
from fdd.agents.models.provider import open_model
from fdd.agents.models.request import CallError, ChatModel, Fault, Finish, Message, ModelReply, ModelRequest
from fdd.errors import StoreError
from fdd.settings import ENVIRONMENT
from fdd.storage.call_cache import CallCache

LONGEST_LINE = 2**26
"""Most bytes in one JSON line (64 MiB), in both directions."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """Configuration of the process: everything that it needs besides the requests."""

    name: str
    """Provider and model."""
    address: str
    seconds: float
    """Time-out of one request."""
    run: str
    """Id of the run that pays."""
    price: Mapping[str, float]
    """The fields of `Price`."""
    replies: str
    """Path of the call cache."""


class Courier:
    """A `ChatModel` that runs in a separate process. An instance belongs to one event loop.

    The first request starts the process. If the process was killed, the next request starts a new one.
    """

    def __init__(self, errand: Errand, *, lock: int | None = None) -> None:
        """`lock` is a file descriptor that the process keeps open until every reply is stored."""
        self.name, self.address = errand.name, errand.address
        self._errand = errand
        self._passed_on = () if lock is None else (lock,)
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._awaited: dict[int, asyncio.Future[ModelReply]] = {}
        self._number = 0

    @property
    def pid(self) -> int | None:
        """Id of the process; None before the first request."""
        return self._process.pid if self._process else None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Sends one request, without retries.

        Raises `CallError` if the model gives no reply, and `StoreError` if the reply could not be stored.
        """
        async with self._starting:
            process = await self._started()
        self._number += 1
        number = self._number
        reply: asyncio.Future[ModelReply] = asyncio.get_running_loop().create_future()
        self._awaited[number] = reply
        assert process.stdin is not None
        process.stdin.write(_line({"number": number, "request": asdict(request)}))
        with suppress(ConnectionError):  # the process is gone: `_listen` notices that and fails `reply`
            await process.stdin.drain()
        return await reply

    async def close(self) -> None:
        """Closes the process's input and waits until it has ended. No request may follow."""
        if self._process is not None and self._listening is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._listening

    async def _started(self) -> Process:
        if self._process is not None and self._listening is not None and not self._listening.done():
            return self._process
        paths = filter(None, (str(IMPORT_ROOT), ENVIRONMENT.get("PYTHONPATH")))
        self._process = await asyncio.create_subprocess_exec(
            # -P: files in the working directory must not be imported in place of modules.
            *(sys.executable, "-P", "-m", "fdd.graph.courier", json.dumps(asdict(self._errand))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
            pass_fds=self._passed_on,
            limit=LONGEST_LINE,
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        return self._process

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            reply = self._awaited.pop(said["number"])
            if not reply.done():  # the caller may have been cancelled
                _settle(reply, said)
        code = await process.wait()
        gone = CallError(Fault.CONNECTION, f"the process that asks ended with exit code {code}")
        while self._awaited:
            _, reply = self._awaited.popitem()
            if not reply.done():
                reply.set_exception(gone)


def _settle(reply: asyncio.Future[ModelReply], said: Mapping[str, Any]) -> None:
    if "reply" in said:
        reply.set_result(ModelReply(**{**said["reply"], "finish": Finish(said["reply"]["finish"])}))
    elif "fault" in said:
        reply.set_exception(CallError(Fault(said["fault"]), said["detail"], said["retry_after"]))
    else:
        reply.set_exception(StoreError(said["error"]))


def _line(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"


class Delivery:
    """The process's side: asks the model and stores its replies."""

    def __init__(self, errand: Errand, model: ChatModel, replies: CallCache) -> None:
        self._run, self._price = errand.run, Price(**errand.price)
        self._model, self._replies = model, replies
        self._tries: Counter[str] = Counter()

    async def serve(self, asked: asyncio.StreamReader, told: asyncio.StreamWriter) -> None:
        """Serves until the input ends and every request has its answer. Requests run concurrently."""
        under_way = set()
        async for line in asked:
            task = asyncio.create_task(self._answer(json.loads(line), told))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        await self._model.close()

    async def _answer(self, asked: Mapping[str, Any], told: asyncio.StreamWriter) -> None:
        said = await self._ask(_request(asked["request"]))
        # The run may have been killed. The reply is already stored, so there is nothing left to do.
        with suppress(ConnectionError):
            told.write(_line({"number": asked["number"], **said}))
            await told.drain()

    async def _ask(self, request: ModelRequest) -> dict[str, Any]:
        now = asyncio.get_running_loop().time
        key, begun = request.key(self._model), now()
        self._tries[key] += 1
        call = sent(request, self._model, self._tries[key])
        try:
            reply = await self._model.complete(request)
            call = replace(call, seconds=now() - begun)
            self._replies.put(to_cache(answered(call, reply, self._price), self._run))
        except CallError as error:
            return {"fault": error.fault, "detail": error.detail, "retry_after": error.retry_after}
        except Exception as error:  # the run raises it as a StoreError
            return {"error": str(error) or type(error).__name__}
        return {"reply": asdict(reply)}


def _request(asked: Mapping[str, Any]) -> ModelRequest:
    return ModelRequest(**{**asked, "messages": tuple(Message(**turn) for turn in asked["messages"])})


async def serve(errand: Errand) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # ends by itself once every reply is stored
    loop = asyncio.get_running_loop()
    asked = asyncio.StreamReader(limit=LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    told = asyncio.StreamWriter(transport, protocol, None, loop)
    model = open_model(errand.name, address=errand.address, seconds=errand.seconds, environment=ENVIRONMENT)
    with CallCache(Path(errand.replies)) as replies:
        await Delivery(errand, model, replies).serve(asked, told)


if __name__ == "__main__":
    asyncio.run(serve(Errand(**json.loads(sys.argv[1]))))
