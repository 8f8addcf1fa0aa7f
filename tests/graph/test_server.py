"""`langgraph dev` on our `langgraph.json`: a real server, asked by HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from fdd.errors import StoppedError
from fdd.graph.run import opened, resume
from fdd.graph.server import Order, build_served, in_thread
from fdd.storage.folder import open_store
from tests.graph.test_run import Recorder, rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
SMALL = {
    "rounds": 1,
    "student": "tiny",
    "device": "cpu",
    "problems": {"limit": 6, "test_size": 2, "held_out_size": 2, "dev_size": 2},
    "generate.max_new_tokens": 8,
}
NOBODY = "http://127.0.0.1:9"
PATIENCE = 180


@pytest.fixture(scope="module")
def server(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The server as docs/USAGE.md starts it, cut off from every network but its own port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    options = ["--allow-blocking", "--no-browser", "--no-reload", "--config", str(ROOT / "langgraph.json")]
    command = [sys.executable, "-m", "langgraph_cli", "dev", *options, "--port", str(port)]
    offline = {"http_proxy": NOBODY, "https_proxy": NOBODY, "no_proxy": "127.0.0.1"}
    ours = {"PYTHONPATH": str(ROOT), "FDD_CACHE": str(cache), "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    folder = tmp_path_factory.mktemp("server")
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **offline, **ours}, stdout=output, stderr=output
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        try:
            wait_for(client, process, log)
            yield client
        finally:
            process.terminate()


def wait_for(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/ok").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def complaint(server: httpx.Client, order: object) -> str:
    reply = server.post("/runs/wait", json={"assistant_id": "distill", "input": order}).json()
    error = reply["__error__"]
    assert error["error"] == "ValueError"
    return str(error["message"])


def test_bad_input_is_told_to_the_client_and_leaves_nothing(server: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = {"rounds": 1, "student": "tiny"}

    def told(**changed: object) -> str:
        return complaint(server, {"run_dir": str(folder), "settings": {**settings, **changed}})

    assert 'send {"run_dir"' in complaint(server, {"settings": settings})
    assert "run_dir 3: " in complaint(server, {"run_dir": 3, "settings": settings})
    assert "say how many rounds" in complaint(server, {"run_dir": str(folder)})
    assert "unknown setting 'studnet'" in told(studnet="tiny")
    assert "--rounds -1: input should be greater than or equal to 0" in told(rounds=-1)
    assert "unknown model 'nobody'" in told(student="nobody")
    assert "there is no problem file 'none.jsonl'" in told(problems={"name": "none.jsonl"})
    assert not folder.exists()


def test_a_run_by_the_api_is_an_ordinary_run(server: httpx.Client, tmp_path: Path, cache: Path) -> None:
    """It stops where a person wants to look, goes on after a rejection, and is resumed from its folder."""
    folder = tmp_path / "run"
    thread = server.post("/threads", json={}).json()["thread_id"]
    asked = {"assistant_id": "distill", "stream_mode": ["updates", "custom"]}
    order = {"run_dir": str(folder), "settings": SMALL}
    stream = f"/threads/{thread}/runs/stream"
    first = events(server, stream, {**asked, "input": order, "interrupt_before": ["baseline"]})
    assert [name for name, _ in first["updates"]] == ["begin", "seed", "teach", "__interrupt__"]
    ended = {"round": 0, "phase": "teach", "done": 3, "total": 3, "note": ""}
    assert any(ended.items() <= told.items() for told in first["custom"])
    assert server.get(f"/threads/{thread}/state").json()["next"] == ["baseline"]

    with opened(folder, cache=cache) as run:
        rejected = run.store.training_set(round=0)[0].problem.id
        run.reject({rejected: "by a person"})
    rest = events(server, stream, {**asked, "input": None})
    assert rest["updates"][-1] == ("report", {"student": "students/round-1"})
    assert {"evaluated": 1} in rest["custom"]
    state = server.get(f"/threads/{thread}/state").json()["values"]
    assert (state["run_dir"], state["round"], state["student"]) == (str(folder), 1, "students/round-1")

    store = open_store(folder)
    assert store.verify() == []
    assert [row["quarantine_reasons"] for row in store.summary()["rounds"]] == [{"rejected": 1}, {}]
    before = rows(folder)
    resume(folder, Recorder(), cache=cache)
    assert rows(folder) == before


def events(server: httpx.Client, path: str, body: object) -> dict[str, list[Any]]:
    """What a run streams: pairs of a phase and its update, and the progress within them."""
    found: dict[str, list[Any]] = {"updates": [], "custom": []}
    kind = ""
    with server.stream("POST", path, json=body) as reply:
        for line in reply.iter_lines():
            name, _, text = line.partition(": ")
            if name == "event":
                kind = text
            elif name == "data" and kind == "updates":
                found[kind] += json.loads(text).items()
            elif name == "data" and kind == "custom":
                found[kind].append(json.loads(text))
    return found


def test_pages_from_elsewhere_may_not_order_runs(server: httpx.Client) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    reply = server.options("/runs/wait", headers=asked)
    assert reply.status_code == 400
    assert "access-control-allow-origin" not in reply.headers


def test_a_server_that_watches_for_waiting_threads_is_told_how_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGGRAPH_ALLOW_BLOCKING", "false")
    order = Order(run_dir=str(tmp_path / "run"), settings={"rounds": 1, "student": "tiny"})
    with pytest.raises(ValueError, match="langgraph dev --allow-blocking"):
        asyncio.run(build_served().compile().ainvoke(order))
    assert not (tmp_path / "run").exists()


def test_a_phase_that_is_cancelled_has_stopped_when_it_says_so() -> None:
    begun, ended = Event(), Event()

    def work(stop: Event) -> None:
        begun.set()
        assert stop.wait(PATIENCE)
        time.sleep(0.1)
        ended.set()
        raise StoppedError("stopped as asked")

    async def client() -> None:
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(client())
