"""Calls per second to servers of limited capacity: our client against fixed numbers of concurrent calls.

    python benchmarks/call_speed.py [calls]

Two simulated servers with 1 s latency run in their own process and are called over HTTP. One answers 64
requests at a time and queues the rest; the other rejects requests above 20 at a time (429). "ours" is the
complete path of a call in a run, with the cache on disk. The alternatives are LangChain's client with its own
retries, behind a semaphore. The rate is the number of answered calls over the whole time, from the first call
to the last reply. The share of rejections counts only requests after the first 10 s.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import openai
import uvicorn
from langchain.chat_models import init_chat_model
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fdd.agents.models.budget import Budget
from fdd.agents.models.client import Client
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE
from fdd.agents.models.provider import LangChainModel
from fdd.agents.models.request import CallStatus, Message, ModelRequest
from fdd.settings import ENVIRONMENT
from fdd.storage.call_cache import CallCache

LATENCY = 1.0
WARM_UP = 10.0
"""Seconds that a client has to adapt to the server before rejections are counted."""
CONFIG = CallConfig()
REPLY = "<rationale>\nclips_in_may = 48 / 2\nanswer = 48 + clips_in_may\n</rationale>"
PROMPT = "Write the steps of the solution as a short program, one assignment a line.\n" * 20


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a server behaves. `ideal` is its highest possible rate, in calls per second."""

    title: str
    places: int
    rejects: bool

    @property
    def ideal(self) -> float:
        return self.places / LATENCY


QUEUES = Kind(title="answers 64 at a time, more wait", places=64, rejects=False)
REJECTS = Kind(title="rejects above 20 at a time", places=20, rejects=True)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What was measured, from the first call to the last reply."""

    calls: int
    answered: int
    seconds: float
    processor: float
    """Seconds of processor time of the client."""


Way = Callable[[str, int], Coroutine[Any, Any, Work]]
"""Makes the given number of calls to the server at this address."""


async def work(ask: Callable[[int], Coroutine[Any, Any, bool]], calls: int) -> Work:
    """Makes all calls at once. `ask` makes the call of a number and returns whether it was answered."""
    began, used = time.monotonic(), time.process_time()
    answered = sum(await asyncio.gather(*map(ask, range(calls))))
    return Work(
        calls=calls,
        answered=answered,
        seconds=time.monotonic() - began,
        processor=time.process_time() - used,
    )


class Endpoint:
    """Answers chat completions, and records when requests arrived and were rejected."""

    def __init__(self, kind: Kind) -> None:
        self._rejects = kind.rejects
        self._places = asyncio.Semaphore(kind.places)
        self.came: list[float] = []
        self.rejected: list[float] = []

    async def complete(self, request: Request) -> JSONResponse:
        await request.json()
        self.came.append(time.monotonic())
        if self._rejects and self._places.locked():
            self.rejected.append(time.monotonic())
            return JSONResponse({"error": {"message": "too many requests"}}, status_code=429)
        async with self._places:
            await asyncio.sleep(LATENCY)
        return JSONResponse(reply())

    def report(self) -> tuple[list[float], list[float]]:
        """Returns the times of all requests and of the rejected ones, in seconds since the first request."""
        return [at - self.came[0] for at in self.came], [at - self.came[0] for at in self.rejected]


def serve(kind: Kind, pipe: Connection) -> None:
    asyncio.run(serve_until_told(Endpoint(kind), pipe))


async def serve_until_told(endpoint: Endpoint, pipe: Connection) -> None:
    """Sends the port through the pipe; on any message from it, sends the endpoint's report and ends."""
    app = Starlette(routes=[Route("/v1/chat/completions", endpoint.complete, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    pipe.send(server.servers[0].sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)
    pipe.send(endpoint.report())
    server.should_exit = True
    await serving


def reply() -> dict[str, object]:
    message = {"role": "assistant", "content": REPLY}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "simulated",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 24, "total_tokens": 424},
    }


@contextmanager
def served(kind: Kind) -> Iterator[tuple[str, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1", ours
    finally:
        process.join(5)
        process.kill()


def messages(number: int) -> tuple[Message, ...]:
    question = (
        f"<problem>\nNatalia sold {number} clips in April and half as many in May. How many?\n</problem>"
    )
    return (Message(role="system", content=PROMPT), Message(role="user", content=question))


async def ours(address: str, calls: int) -> Work:
    with TemporaryDirectory() as folder, CallCache(Path(folder) / "calls.sqlite") as cache:
        client = Client(
            LangChainModel("openai:simulated", address=address, seconds=60, environment=ENVIRONMENT),
            run="r",
            cache=cache,
            budget=Budget(CONFIG),
            price=FREE,
            config=CONFIG,
        )

        async def ask(number: int) -> bool:
            request = ModelRequest(
                agent="teacher", messages=messages(number), temperature=0.7, max_tokens=256
            )
            return (await client.ask(request)).status is CallStatus.ANSWERED

        done = await work(ask, calls)
        await client.close()
    return done


async def fixed(address: str, calls: int, at_once: int) -> Work:
    """Makes the calls in the usual way: a fixed number at a time, with the client's own retries."""
    client = openai.DefaultAsyncHttpxClient()
    chat = init_chat_model(
        "simulated",
        model_provider="openai",
        base_url=address,
        api_key="none",
        max_retries=CONFIG.tries - 1,
        timeout=60,
        http_async_client=client,
    )
    places = asyncio.Semaphore(at_once)

    async def ask(number: int) -> bool:
        async with places:
            try:
                await chat.ainvoke([(message.role, message.content) for message in messages(number)])
            except openai.APIError:
                return False
            return True

    done = await work(ask, calls)
    await client.aclose()
    return done


def measure(name: str, kind: Kind, calls: int, way: Way) -> str:
    with served(kind) as (address, pipe):
        done = asyncio.run(way(address, calls))
        pipe.send("end")
        came, rejected = pipe.recv()
    rate = done.answered / done.seconds
    warm = sum(at > WARM_UP for at in came)
    share = sum(at > WARM_UP for at in rejected) / max(1, warm)
    return (
        f"{name:<14}{calls:>7}{calls - done.answered:>7}{rate:>10.1f}{100 * rate / kind.ideal:>9.1f} %"
        f"{100 * share:>9.1f} %{1000 * done.processor / calls:>9.1f}"
    )


def main(calls: int) -> None:
    # The last column is the share of the calls that a way makes: slower ways make fewer, to take less time.
    ways: Sequence[tuple[str, Way, Mapping[Kind, float]]] = (
        ("ours", ours, {QUEUES: 1.0, REJECTS: 0.3}),
        ("8 at a time", partial(fixed, at_once=8), {QUEUES: 0.04, REJECTS: 0.04}),
        ("256 at a time", partial(fixed, at_once=256), {QUEUES: 0.3, REJECTS: 0.12}),
    )
    print(f"server and client on the same machine with {os.cpu_count()} processors")
    for kind in (QUEUES, REJECTS):
        print(
            f"\na server of {LATENCY:g} s latency that {kind.title}: {kind.ideal:g} calls a second are ideal"
        )
        print(f"{'':<14}{'calls':>7}{'lost':>7}{'a second':>10}{'of ideal':>11}{'rejected':>11}{'CPU ms':>9}")
        for name, way, shares in ways:
            print(measure(name, kind, round(calls * shares[kind]), way), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
