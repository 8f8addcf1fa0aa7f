"""Runs work in threads that divide the cores among them.

The operations of a small model are so short that two cores that share each of them mostly wait for each
other. With one core each, two threads generated twice as many tokens per second and trained on a quarter more
(SmolLM2-135M in bfloat16, two cores). Torch releases Python's global lock while it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import chain
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

import torch

from fdd.training.device import Runtime

T = TypeVar("T")

THREADS = 2
"""Each has half of the cores, however many there are; more threads were not measured."""


def threads_for(runtime: Runtime) -> int:
    return min(THREADS, torch.get_num_threads()) if runtime.device.type == "cpu" else 1


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Runs the jobs in parallel and returns their results in order; raises an error after all have ended."""
    if len(jobs) == 1:
        return [jobs[0]()]
    futures = [pool_of(len(jobs)).submit(job) for job in jobs]
    wait(futures)
    return [future.result() for future in futures]


def merged(sources: Sequence[Iterator[T]], threads: int) -> Iterator[T]:
    """Yields the items of all sources, each advanced in its own thread; an error in one of them ends all.

    With fewer sources than threads, some cores stay idle: on more cores a source might round differently.
    """
    if threads == 1:
        yield from chain.from_iterable(sources)
        return
    found: SimpleQueue[T | Future[None]] = SimpleQueue()
    stop = Event()

    def drain(source: Iterator[T]) -> None:
        for item in source:
            found.put(item)
            if stop.is_set():
                break

    running = [pool_of(threads).submit(drain, source) for source in sources]
    try:
        for future in running:
            future.add_done_callback(found.put)
        left = len(sources)
        while left:
            item = found.get()
            if isinstance(item, Future):
                item.result()
                left -= 1
            else:
                yield item
    finally:  # also when the caller stops early: no source may still run when this returns
        stop.set()
        wait(running)


@cache
def pool_of(threads: int) -> ThreadPoolExecutor:
    # Kept, because libraries prepare for each new shape of a tensor, and do so again in every new thread.
    each = max(1, torch.get_num_threads() // threads)

    def limit() -> None:
        torch.set_num_threads(each)
        # At its first use, a thread adopts the number that any thread set last: make this the first use.
        torch.get_num_threads()

    return ThreadPoolExecutor(threads, initializer=limit)
