"""The points that a run passes: before and after each node, and before and after everything it writes.

A point has the same name in every process of a run, so that a run can be killed once at each of them.
The hooks are patched in from here; the product code does not know of them.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from functools import wraps
from itertools import cycle
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Self

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

import main
from fdd.domain import content_hash
from fdd.graph.journal import Node, logged
from fdd.graph.state import RunState
from fdd.storage import call_cache
from fdd.storage.database import Database
from fdd.training import worker
from fdd.training.tasks import Event
from tests.crash.process import Act, Launch


class Points:
    """Is told of every point that the process passes, and acts at one of them."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._left = launch.number
        self._killed = Path(launch.killed) if launch.killed else None
        known = self._killed is not None and self._killed.exists()
        self._known = set(self._killed.read_text().splitlines()) if self._killed and known else set()
        self._turn = threading.Lock()
        self._node = ""
        """The node that runs."""

    def passed(self, name: str) -> None:
        """Called at each point. Kills the process if the point is not listed yet; does the act if it is due.

        `name` should be the same in every process of a run.
        """
        with self._turn:
            counted = self._launch.within in ("", self._node)
            if self._killed and counted and name not in self._known:
                with self._killed.open("a") as file:
                    print(name, file=file)
                _send(signal.SIGKILL)
            if counted and name.startswith(self._launch.at):
                self._left -= 1
                if self._left == 0:
                    ACTS[self._launch.act](self._launch)

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        self.passed(f"{name}: before")
        yield
        self.passed(f"{name}: after")

    def hook(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr("fdd.graph.build.logged", self._logged)
        patch.setattr(Database, "_connect", self._database(Database._connect))
        patch.setattr("fdd.storage.call_cache._connect", self._call_cache(call_cache._connect))
        patch.setattr("fdd.training.worker.follow", self._student(worker.follow))
        patch.setattr(SqliteSaver, "put", self._wrapped(SqliteSaver.put, _bookmark))
        patch.setattr(SqliteSaver, "put_writes", self._wrapped(SqliteSaver.put_writes, _writes))
        for name in ("rename", "replace"):
            method = getattr(Path, name)
            patch.setattr(Path, name, self._wrapped(method, lambda _, target: f"file {Path(target).name}"))

    def _logged(self, node: Node) -> Node:
        def begin(state: RunState, *_: object) -> str:
            self._node = node.__name__
            return f"node {node.__name__} {state.round}"

        return wraps(node)(self._wrapped(logged(node), begin))

    def _wrapped(self, function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*arguments: Any, **more: Any) -> Any:
            with self.around(name(*arguments)):
                return function(*arguments, **more)

        return wrapper

    def _database(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def connected(database: Database, read_only: bool) -> Any:
            connection = connect(database, read_only)
            return connection if read_only else Watched(connection, "database", self)

        return connected

    def _call_cache(self, connect: Callable[[Path], Any]) -> Callable[[Path], Any]:
        return lambda path: Watched(connect(path), "reply", self)

    def _student(self, follow: Callable[..., Any]) -> Callable[..., Any]:
        def followed(child: Any, ours: Any, on_event: Callable[[Event], None], should_stop: Any) -> Any:
            def watched(event: Event) -> None:
                self.passed(f"student {type(event).__name__}")
                on_event(event)

            self.passed("student begins")
            return follow(child, ours, watched, should_stop)

        return followed


class Watched:
    """A database connection whose commits are points, named by what they write."""

    def __init__(self, connection: Any, name: str, points: Points) -> None:
        self._connection, self._name, self._points = connection, name, points
        self._written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        with self._points.around(self._what("block")):
            self._connection.__exit__(*error)
        self._written.clear()

    def execute(self, sql: str, values: Sequence[object] = ()) -> Any:
        if sql.lstrip().startswith("INSERT"):
            self._written.append(_names(sql, values))
        return self._connection.execute(sql, values)

    def commit(self) -> None:
        with self._points.around(self._what("commit")):
            self._connection.commit()

    def close(self) -> None:
        self._connection.close()
        self._points.passed(f"{self._what('close')}: after")

    def _what(self, action: str) -> str:
        return " ".join([self._name, action, *sorted(self._written)])


def _names(sql: str, values: Sequence[object]) -> str:
    """Returns the table and a hash of the first three values, without times; of `runs`, without any value.

    Times and the run's id differ between processes or runs, and names must not.
    """
    table = sql.partition("INTO ")[2].split()[0]
    told = [value for value in values if not isinstance(value, datetime)][: 0 if table == "runs" else 3]
    rows = [sorted(map(str, value)) if isinstance(value, list) else [str(value)] for value in told]
    return f"{table} {content_hash(*(part for row in rows for part in row))[7:15]}"


def _bookmark(*given: Any) -> str:
    checkpoint, metadata = given[2:4]
    reached = (metadata["source"], checkpoint["channel_values"].get("round"), checkpoint["updated_channels"])
    return f"bookmark {content_hash(*map(str, reached))[7:15]}"


def _writes(*given: Any) -> str:
    return f"bookmark of {content_hash(str(sorted(map(str, given[2]))))[7:15]}"


def shake_clock(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Makes this process's wall clock jump forward and back at every reading; the monotonic one is kept."""
    now, now_ns, jumps = time.time, time.time_ns, cycle((0.0, seconds))

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=next(jumps))

    patch.setattr(time, "time", lambda: now() + next(jumps))
    patch.setattr(time, "time_ns", lambda: now_ns() + round(next(jumps) * 1e9))
    for module in ("fdd.agents.models.client", "fdd.domain", "fdd.storage.store", "fdd.storage.records"):
        patch.setattr(f"{module}.datetime", Jumping)


def _send(*signals: signal.Signals) -> None:
    for each in signals:
        os.kill(os.getpid(), each)


def _interrupt_twice() -> None:
    for _ in range(2):
        time.sleep(0.3)
        _send(signal.SIGINT)


def _student() -> int:
    (child,) = active_children()
    assert child.pid is not None
    return child.pid


def _fill(process: int, limit: int) -> None:
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, hard))


ACTS: Mapping[Act, Callable[[Launch], object]] = {
    Act.KILL: lambda _: _send(signal.SIGKILL),
    Act.KILL_STUDENT: lambda _: os.kill(_student(), signal.SIGKILL),
    Act.FILL: lambda launch: _fill(0, launch.limit),
    Act.FILL_STUDENT: lambda launch: _fill(_student(), launch.limit),
    Act.TERMINATE: lambda _: _send(signal.SIGTERM, signal.SIGTERM),
    Act.INTERRUPT: lambda _: _send(signal.SIGINT),
    Act.INTERRUPT_TWICE: lambda _: threading.Thread(target=_interrupt_twice, daemon=True).start(),
    Act.RESUME: lambda launch: _send(signal.SIGKILL) if main.main(("resume", launch.arguments[-1])) else None,
}
