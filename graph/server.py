"""The graph of a run for `langgraph dev`: it has the same phases, and its input has all that a run needs.

Each phase opens the run folder and closes it at its end. The server's thread is only a checkpoint: `resume`
continues the run without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Protocol, TypedDict, TypeVar

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import StreamWriter
from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from fdd.domain import Progress
from fdd.errors import FddError, StoppedError, UsageError, brief, one_line
from fdd.graph.build import phases, wire
from fdd.graph.journal import Node
from fdd.graph.run import create, discarding, opened
from fdd.graph.state import RunState, RunUpdate
from fdd.rundir.listener import Listener
from fdd.settings import cache_folder, known_settings, load_settings, may_block
from fdd.storage.folder import open_store

T = TypeVar("T")


@dataclass(kw_only=True)
class Order:
    """The input that a client sends."""

    run_dir: Annotated[str, Field(min_length=1)] = ""
    """Path of the run folder, which must not exist yet."""
    settings: dict[str, JsonValue] = field(default_factory=dict)
    """Settings as in a settings file: `{"rounds": 1, "student": "tiny", "problems": {"limit": 100}}`."""


ORDER = TypeAdapter(Order)
EXAMPLE = '{"run_dir": "runs/mine", "settings": {"rounds": 1, "student": "tiny"}}'


@dataclass(kw_only=True)
class ServedState(RunState):
    """The state of a run and its folder."""

    run_dir: str


class Beginning(TypedDict):
    """The first update of the state, once the folder exists."""

    run: str
    rounds: int
    run_dir: str


class ServedNode(Protocol):
    """A node of the served graph."""

    async def __call__(self, state: ServedState, runtime: Runtime) -> RunUpdate: ...


class Messenger:
    """A listener that writes to LangGraph's custom stream."""

    def __init__(self, writer: StreamWriter) -> None:
        # LangGraph finds the run by context variables, which the threads that agents report from do not have.
        self._writer, self._context = writer, copy_context()

    def advanced(self, progress: Progress) -> None:
        self._send(asdict(progress))

    def evaluated(self, round: int) -> None:
        self._send({"evaluated": round})

    def noticed(self, text: str) -> None:
        self._send({"noticed": text})

    def _send(self, message: dict[str, JsonValue]) -> None:
        self._context.copy().run(self._writer, message)


def build_served() -> StateGraph[ServedState, None, Order, ServedState]:
    """Builds the graph; `langgraph.json` names this function. The server adds its own checkpointer."""
    graph = StateGraph(ServedState, input_schema=Order, output_schema=ServedState)
    graph.add_node("begin", begin)
    for name, phase in phases().items():
        graph.add_node(name, served(phase))
    wire(graph)
    return graph.add_edge(START, "begin").add_edge("begin", "seed")


async def begin(state: Order, runtime: Runtime) -> Beginning:
    """Creates the run folder."""
    listener = Messenger(runtime.stream_writer)
    return await in_thread(lambda stop: _begin(state, listener))  # noqa: ARG005


def _begin(order: Order, listener: Listener) -> Beginning:
    if not may_block():
        raise UsageError(
            "start the server with `langgraph dev --allow-blocking`: agents have an event loop of their own, "
            "in which they wait for files, and the server takes it for its own"
        )
    try:
        checked = ORDER.validate_python(vars(order))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where} {brief(first['input'])}: {first['msg']}; send {EXAMPLE}") from None
    settings = load_settings(dict(known_settings(checked.settings, "the settings")))
    folder = Path(checked.run_dir).absolute()
    create(settings, folder, listener, cache=cache_folder())
    return {"run": open_store(folder).run().id, "rounds": settings.rounds, "run_dir": str(folder)}


def served(node: Node) -> ServedNode:
    async def phase(state: ServedState, runtime: Runtime) -> RunUpdate:
        listener = Messenger(runtime.stream_writer)
        return await in_thread(partial(_work, node, state, listener))

    return phase


def _work(node: Node, state: ServedState, listener: Listener, stop: Event) -> RunUpdate:
    folder = Path(state.run_dir)
    # `discarding` is inside, so that it removes the folder while this process still holds its lock.
    with (
        opened(folder, listener, cache=cache_folder(), should_stop=stop.is_set) as run,
        discarding(folder),
    ):
        return node(state, Runtime(context=run.context))


async def in_thread(work: Callable[[Event], T]) -> T:
    """Runs blocking work in a thread. On cancellation, sets the event and waits until the work has stopped.

    Turns our errors into built-in exceptions: the server shows clients the text of these only.
    """
    stop = Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        with suppress(StoppedError):
            await task
        raise
    except UsageError as error:
        raise ValueError(one_line(str(error))) from error
    except FddError as error:
        raise RuntimeError(one_line(str(error))) from error
