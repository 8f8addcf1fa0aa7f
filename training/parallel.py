"""Work shared out to threads that have some of the cores each.

The operations of a small model are so short that two cores which share every one of them mostly wait for each
other. Two threads with a core each generated about twice as many tokens a second and trained on a third more
(SmolLM2-135M in bfloat16, two cores). Torch lets other threads of Python run while it computes.
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

from training.device import Runtime

T = TypeVar("T")

THREADS = 2
"""Each with half of the cores, however many there are: more threads were not measured."""


def threads_for(runtime: Runtime) -> int:
    return min(THREADS, torch.get_num_threads()) if runtime.device.type == "cpu" else 1


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """The jobs' results in their order; the first error is raised once all of them have ended."""
    if len(jobs) == 1:
        return [jobs[0]()]
    futures = [pool_of(len(jobs)).submit(job) for job in jobs]
    wait(futures)
    return [future.result() for future in futures]


def merged(sources: Sequence[Iterator[T]], threads: int) -> Iterator[T]:
    """What the sources give, each advanced in a thread of its own; an error of one of them ends all.

    There are at most as many sources as threads. Where there are fewer, some cores stay idle: with more cores
    a source may round its numbers otherwise.
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
    finally:
        stop.set()
        wait(running)


@cache
def pool_of(threads: int) -> ThreadPoolExecutor:
    """Threads that divide the cores among them. They are kept: what libraries prepare for a shape of numbers,
    they prepare in each thread anew.
    """
    each = max(1, torch.get_num_threads() // threads)

    def limit() -> None:
        torch.set_num_threads(each)
        torch.get_num_threads()  # torch takes the number that was set last, by any thread, at a first use

    return ThreadPoolExecutor(threads, initializer=limit)
