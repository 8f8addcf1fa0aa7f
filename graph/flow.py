"""Runs work items concurrently and yields results as they are finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from fdd.errors import StoppedError
from fdd.graph.crew import Crew

PATIENCE = 0.2
"""Seconds between two checks whether the run should stop."""

T = TypeVar("T")
R = TypeVar("R")


async def finished(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], crew: Crew, should_stop: Callable[[], bool]
) -> AsyncIterator[R]:
    """Yields what `work` returns for each item, in the order in which items finish.

    After an error no further item is started. Items in progress still finish and are yielded; then the first
    error is raised. When `should_stop` returns True, the agents refuse further calls, and the same happens
    with `StoppedError`.
    """
    waiting = iter(items)
    running: set[asyncio.Future[R]] = set()
    error: BaseException | None = None
    while True:
        if error is None and should_stop():
            crew.stop()
            error = StoppedError("stopped as asked")
        if error is None:
            running |= _begin(waiting, work, crew.at_once - len(running))
        if not running:
            break
        done, running = await asyncio.wait(running, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            broken = task.exception()
            if broken is None:
                yield task.result()
            error = error or broken  # the first error is raised, others are dropped
    if error is not None:
        raise error


def _begin(waiting: Iterator[T], work: Callable[[T], Awaitable[R]], room: int) -> set[asyncio.Future[R]]:
    return {asyncio.ensure_future(work(item)) for _, item in zip(range(room), waiting, strict=False)}
