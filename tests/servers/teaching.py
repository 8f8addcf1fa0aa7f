"""A server for any OpenAI client. It answers our prompts with the symbolic agents, with faults on demand.

    python -m tests.servers.teaching --knowledge FILE.jsonl --wrong 0.2 --fault malformed=0.1 --log FILE

For tests and trials. Randomness depends only on the server's seed and the request, so the same request gets
the same reply. Only faults of transport also depend on how often it was sent: a retry may succeed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fdd.domain import Problem
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.problems.jsonl import read_jsonl
from tests.servers.batches import FAULTS, Batches
from tests.servers.children import running
from tests.servers.completions import Completions, Connection, Entry
from tests.servers.manner import CONTENT_FAULTS, TRANSPORT_FAULTS, Act, Manner
from tests.servers.scholar import Scholar

MODEL = "teaching"
GSM_SYMBOLIC_SIZE = 6000
"""Number of instances known with `--gsm-symbolic`: about the first 70 of each template."""

_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True, kw_only=True, slots=True)
class TeachingServer:
    """A running teaching server."""

    url: str
    """What an OpenAI client takes as its base URL."""
    log_file: Path

    def log(self) -> list[Entry]:
        """Returns every request that has ended, in that order, without a line that is still being written."""
        text = self.log_file.read_text() if self.log_file.exists() else ""
        return [_ENTRY.validate_json(line) for line in text.split("\n")[:-1]]


@contextlib.contextmanager
def teaching(folder: Path, *options: str) -> Iterator[TeachingServer]:
    """Runs the server in its own process, with these command line options; its files are in `folder`.

    >>> with teaching(tmp_path, "--knowledge", str(problems), "--fault", "hang=0.1") as server:
    ...     client = openai.OpenAI(base_url=server.url, api_key="any")
    """
    log = folder / "teaching.log"
    arguments = ["--log", str(log), *options]
    output = folder / "teaching.output"
    with running("tests.servers.teaching", arguments, output=output, seconds=600) as url:
        yield TeachingServer(url=f"{url}/v1", log_file=log)


async def list_models(request: Request) -> JSONResponse:  # noqa: ARG001
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"}
    return JSONResponse({"object": "list", "data": [model]})


def serve(manner: Manner, scholar: Scholar, given: argparse.Namespace) -> None:
    """Serves until SIGINT or SIGTERM; prints the URL when requests can be sent."""
    log: Path = given.log
    with socket.create_server(("127.0.0.1", given.port), backlog=2048) as listener, log.open("a") as file:
        # asyncio sets this on sockets that it makes; without it answers wait 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        completions = Completions(manner, scholar, file)
        routes = [
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", list_models),
            *Batches(completions, log.with_name("batches"), given.batch_seconds, given.batch_fault).routes(),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="error",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=0,
        )
        print("http://{}:{}".format(*listener.getsockname()), flush=True)
        for stop in (signal.SIGINT, signal.SIGTERM):
            # Raises an exception, so that requests in flight are logged before the process ends.
            signal.signal(stop, lambda *_: sys.exit())
        uvicorn.Server(config).run(sockets=[listener])


def read_fault(text: str) -> tuple[Act, float]:
    """Parses an option such as `malformed=0.1`. Raises `ValueError` for another fault or share."""
    name, _, rate = text.partition("=")
    fault = Act(name)
    if fault not in CONTENT_FAULTS + TRANSPORT_FAULTS or not 0 <= float(rate) <= 1:
        raise ValueError
    return fault, float(rate)


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.teaching")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE")
    parser.add_argument("--state", type=Path, metavar="FILE", help="remembers the problems written")
    parser.add_argument("--knowledge", type=Path, action="append", default=[], metavar="FILE.jsonl")
    parser.add_argument(
        "--gsm-symbolic", type=int, metavar="SEED", help="knows what a run of this seed draws"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=float, default=0.0, metavar="SHARE")
    faults = ", ".join(CONTENT_FAULTS + TRANSPORT_FAULTS)
    parser.add_argument(
        "--fault", type=read_fault, action="append", default=[], metavar="NAME=SHARE", help=faults
    )
    parser.add_argument("--hang-seconds", type=float, default=10.0)
    parser.add_argument("--slow-seconds", type=float, default=1.0)
    parser.add_argument("--retry-after", type=int, default=1, metavar="SECONDS")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--batch-seconds", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--batch-fault", choices=FAULTS, action="append", default=[])
    parser.add_argument("--capacity", type=int, metavar="REQUESTS")
    parser.add_argument("--over", choices=("queue", "reject"), default="queue")
    parser.add_argument("--echo-key", action="store_true")
    parser.add_argument("--fail-after", type=int, metavar="REQUESTS")
    given = parser.parse_args(arguments)
    for kind in (CONTENT_FAULTS, TRANSPORT_FAULTS):
        if sum(share for fault, share in given.fault if fault in kind) > 1 + 1e-9:
            parser.error(f"the shares of {', '.join(kind)} add up to more than 1")
    return given


def known_problems(files: Sequence[Path], gsm_symbolic: int | None) -> Iterator[Problem]:
    for file in files:
        yield from read_jsonl(file)
    if gsm_symbolic is not None:
        source = GsmSymbolic(gsm_symbolic)
        chance = random.Random(0)
        yield from source.draw(source.templates, GSM_SYMBOLIC_SIZE, refuse=lambda _: None, chance=chance)


def main(arguments: Sequence[str] | None = None) -> None:
    given = read_arguments(arguments)
    manner = Manner(
        seed=given.seed,
        wrong=given.wrong,
        faults=dict(given.fault),
        hang_seconds=given.hang_seconds,
        slow_seconds=given.slow_seconds,
        retry_after=given.retry_after,
        latency=given.latency,
        capacity=given.capacity,
        over=given.over,
        echo_key=given.echo_key,
        fail_after=given.fail_after,
    )
    scholar = Scholar(known_problems(given.knowledge, given.gsm_symbolic), given.state)
    serve(manner, scholar, given)


if __name__ == "__main__":
    main()
