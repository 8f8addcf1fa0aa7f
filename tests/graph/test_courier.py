"""The process that asks a model, and outlives the run that it asks for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from fdd import IMPORT_ROOT
from fdd.agents.models.prices import Price
from fdd.agents.models.request import CallError, Fault, Finish, ModelRequest
from fdd.agents.teacher import conversation
from fdd.errors import StoppedError, StoreError
from fdd.graph.courier import Courier, Errand
from fdd.rundir.lock import asking
from fdd.storage.call_cache import CallCache
from fdd.training.worker import never
from tests.agents.symbolic.parents import BEADS
from tests.servers.teaching import TeachingServer, teaching

RUN = """
import asyncio, json, sys
from fdd.graph.courier import Courier, Errand
from tests.graph.test_courier import request

async def run(errand, lock):
    courier = Courier(Errand(**errand), lock=lock)
    await courier.complete(request(0))
    asked = asyncio.create_task(courier.complete(request(1)))
    await asyncio.sleep(0.3)
    print(courier.pid, flush=True)
    await asked

asyncio.run(run(json.loads(sys.argv[1]), int(sys.argv[2])))
"""
"""Has one reply, and waits for another that takes a while."""
LONG = "2"
"""Seconds for a reply."""


def errand(server: TeachingServer, folder: Path) -> Errand:
    replies = folder / "calls.sqlite"
    with CallCache(replies):
        pass
    return Errand(
        name="openai:teaching",
        address=server.url,
        seconds=60,
        run="this",
        price=Price(input=1, output=2).model_dump(),
        replies=str(replies),
    )


def request(sample: int = 0) -> ModelRequest:
    messages = conversation("explain", BEADS, "cot").messages
    return ModelRequest(agent="teacher", messages=messages, temperature=0.7, max_tokens=500, sample=sample)


@contextmanager
def courier(server: TeachingServer, folder: Path) -> Iterator[tuple[asyncio.Runner, Courier]]:
    asked = Courier(errand(server, folder))
    with asyncio.Runner() as loop:
        yield loop, asked
        loop.run(asked.close())


def test_a_reply_has_been_stored_when_it_comes(tmp_path: Path) -> None:
    with teaching(tmp_path) as server, courier(server, tmp_path) as (loop, asked):
        reply = loop.run(asked.complete(request()))
        with CallCache(tmp_path / "calls.sqlite") as cache:
            stored = cache.get(request().key(asked))
    assert stored is not None
    assert reply.finish is Finish.STOP
    assert (stored.text, stored.run, stored.status) == (reply.text, "this", "answered")
    assert (stored.agent, stored.model, stored.tries) == ("teacher", "openai:teaching", 1)
    assert stored.cost_usd == (reply.prompt_tokens + 2 * reply.completion_tokens) / 1e6


def test_requests_are_asked_side_by_side(tmp_path: Path) -> None:
    async def all_at_once(asked: Courier) -> None:
        await asyncio.gather(*(asked.complete(request(sample)) for sample in range(20)))

    with teaching(tmp_path, "--latency", "1") as server, courier(server, tmp_path) as (loop, asked):
        loop.run(all_at_once(asked))
        ends = sorted(entry.time for entry in server.log())
    assert len(ends) == 20
    assert ends[-1] - ends[0] < 10, "one after the other they would take 19 s"


def test_a_process_that_nobody_asked_is_not_started(tmp_path: Path) -> None:
    with teaching(tmp_path) as server, courier(server, tmp_path) as (_, asked):
        pass
    assert asked.pid is None


def test_what_the_server_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    options = ("--fault", "retry_after=1", "--retry-after", "7")
    with teaching(tmp_path, *options) as server, courier(server, tmp_path) as (loop, asked):
        with pytest.raises(CallError, match="429") as refused:
            loop.run(asked.complete(request()))
        with pytest.raises(CallError):
            loop.run(asked.complete(request()))
    assert (refused.value.fault, refused.value.retry_after) == (Fault.RATE_LIMITED, 7)


def test_every_try_is_counted(tmp_path: Path) -> None:
    options = ("--fault", "rate_limited=0.7")
    with teaching(tmp_path, *options) as server, courier(server, tmp_path) as (loop, asked):
        tries = 1
        while not answered(loop, asked):
            tries += 1
        with CallCache(tmp_path / "calls.sqlite") as cache:
            stored = cache.get(request().key(asked))
    assert stored is not None
    assert stored.tries == tries


def answered(loop: asyncio.Runner, asked: Courier) -> bool:
    try:
        loop.run(asked.complete(request()))
    except CallError:
        return False
    return True


def test_when_the_process_is_killed_the_call_fails_and_the_next_one_has_another(tmp_path: Path) -> None:
    async def kill_it_meanwhile(asked: Courier) -> None:
        waiting = asyncio.create_task(asked.complete(request(1)))
        await asyncio.sleep(0.1)
        assert asked.pid is not None
        os.kill(asked.pid, signal.SIGKILL)
        await waiting

    with teaching(tmp_path, "--latency", LONG) as server, courier(server, tmp_path) as (loop, asked):
        loop.run(asked.complete(request(0)))
        with pytest.raises(CallError, match="ended with exit code -9") as failed:
            loop.run(kill_it_meanwhile(asked))
        assert failed.value.fault is Fault.CONNECTION
        assert loop.run(asked.complete(request(2))).finish is Finish.STOP


def test_a_reply_that_cannot_be_stored_ends_the_run_and_says_why(tmp_path: Path) -> None:
    with teaching(tmp_path) as server, courier(server, tmp_path) as (loop, asked):
        loop.run(asked.complete(request(0)))
        with closing(sqlite3.connect(tmp_path / "calls.sqlite")) as connection:
            connection.execute("DROP TABLE replies")
        with pytest.raises(StoreError, match="cannot write to the call cache"):
            loop.run(asked.complete(request(1)))


def test_what_was_asked_when_the_run_was_killed_is_stored_and_waited_for(tmp_path: Path) -> None:
    """Not even a request to end ends it before."""
    waited: list[str] = []
    with teaching(tmp_path, "--latency", LONG) as server:
        told = errand(server, tmp_path)
        with asking(tmp_path, lambda: waited.append("too soon"), never) as lock:
            command = (sys.executable, "-c", RUN, json.dumps(asdict(told)), str(lock))
            run = subprocess.Popen(
                command,
                cwd=IMPORT_ROOT,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=[lock],
                start_new_session=True,
            )
        with run:
            assert run.stdout is not None
            asked = int(run.stdout.readline())
            os.killpg(run.pid, signal.SIGKILL)
            os.kill(asked, signal.SIGTERM)
        with asking(tmp_path, lambda: waited.append("in time"), never):
            assert waited == ["in time"]
        with CallCache(Path(told.replies)) as cache:
            assert all(cache.get(request(sample).key(Courier(told))) for sample in (0, 1))
        assert len(server.log()) == 2


def test_whoever_waits_for_replies_can_be_stopped(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    with (
        asking(tmp_path, lambda: None, never),
        pytest.raises(StoppedError),
        asking(tmp_path, lambda: None, lambda: next(asked)),
    ):
        pass
