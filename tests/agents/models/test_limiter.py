"""How the number of requests in flight adapts: simulated servers in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from statistics import fmean

from fdd.agents.models.limiter import FIRST, AdaptiveLimit
from tests.agents.models.virtual import run

Seconds = Callable[[int], float]
"""How long a server works on the request of this number."""

Refuses = Callable[[float, bool], bool]
"""Whether a server rejects a request at this time, with all its places taken or not."""


@dataclass(frozen=True)
class Course:
    """How a simulation went."""

    seconds: float
    sizes: list[int]
    """The limit, second by second."""
    rejections: list[float]
    """When they happened."""

    @property
    def rejected(self) -> float:
        """Rejections a second."""
        return len(self.rejections) / self.seconds


def never(now: float, full: bool) -> bool:
    del now, full
    return False


def when_full(now: float, full: bool) -> bool:
    del now
    return full


class PerMinute:
    """Rejects what is more than so many requests a minute."""

    def __init__(self, requests: int) -> None:
        self._rate = requests / 60
        self._free, self._then = 1.0, 0.0

    def __call__(self, now: float, full: bool) -> bool:
        del full
        self._free = min(1.0, self._free + (now - self._then) * self._rate)
        self._then = now
        admitted = self._free >= 1
        self._free -= admitted
        return not admitted


async def simulate(
    calls: int,
    places: int,
    work: Seconds,
    *,
    most: int = 256,
    refuses: Refuses = never,
    patience: float = inf,
) -> Course:
    """Make so many calls at once to a server that works on `places` requests at a time."""
    limit, loop, server = AdaptiveLimit(most), asyncio.get_running_loop(), asyncio.Semaphore(places)
    sizes: list[int] = []
    rejections: list[float] = []

    async def call(number: int) -> None:
        while True:
            place = await limit.enter()
            if refuses(loop.time(), server.locked()):
                rejections.append(loop.time())
                limit.rejected(place)
                await asyncio.sleep(0.5)
                limit.leave()
                continue
            try:
                async with asyncio.timeout(None if patience == inf else patience), server:
                    await asyncio.sleep(work(number))
                limit.answered(place)
            except TimeoutError:
                limit.timed_out(place)
            limit.leave()
            return

    async def watch() -> None:
        while True:
            sizes.append(limit.size)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(call, range(calls)))
    watching.cancel()
    return Course(loop.time(), sizes, rejections)


def varying(deviation: float, seed: int = 1) -> Seconds:
    """Replies of very different length: log-normal, 1 s in the median."""
    return lambda number: random.Random(seed + number).lognormvariate(0, deviation)


def test_a_server_that_queues_is_used_to_nine_tenths_from_the_first_call_on() -> None:
    course = run(simulate(3000, 64, lambda _: 1.0))
    assert 3000 / 64 / course.seconds > 0.9


def test_a_server_that_rejects_is_used_to_four_fifths_with_few_rejections() -> None:
    course = run(simulate(1000, 20, lambda _: 1.0, refuses=when_full))
    assert 1000 / 20 / course.seconds > 0.8
    assert sum(at > 10 for at in course.rejections) / 1000 < 0.05


def test_a_server_with_so_many_requests_a_minute_is_left_in_peace() -> None:
    course = run(simulate(100, 1000, lambda _: 1.0, refuses=PerMinute(30)))
    assert course.seconds < 1.1 * 200
    assert course.rejected < 2


def test_a_tenth_of_requests_that_hang_do_not_shrink_the_limit() -> None:
    course = run(simulate(3000, 1000, lambda n: inf if n % 10 == 0 else 1.0, most=64, patience=10))
    assert fmean(course.sizes[8:]) > 60


def test_a_server_too_slow_for_the_time_out_gets_fewer_requests() -> None:
    course = run(simulate(600, 4, lambda _: 4.0, most=64, patience=12))
    assert max(course.sizes) > 16
    assert fmean(course.sizes[-30:]) < 16


def test_never_more_than_the_most_are_in_flight() -> None:
    course = run(simulate(500, 1000, lambda _: 1.0, most=10))
    assert max(course.sizes) == 10


def test_rejections_of_one_round_trip_cut_the_limit_once() -> None:
    async def scenario() -> tuple[int, int]:
        limit = AdaptiveLimit(100)
        places = [await limit.enter() for _ in range(FIRST)]
        limit.rejected(places[0])
        after_one = limit.size
        for place in places[1:]:
            limit.rejected(place)
        return after_one, limit.size

    after_one, after_all = run(scenario())
    assert after_one == after_all < FIRST


def test_rejections_leave_one_place() -> None:
    async def scenario() -> int:
        limit = AdaptiveLimit(100)
        for _ in range(50):
            limit.rejected(await limit.enter())
            limit.leave()
        return limit.size

    assert run(scenario()) == 1


def test_the_limit_does_not_grow_while_fewer_requests_are_made() -> None:
    async def scenario() -> int:
        limit = AdaptiveLimit(100)
        for _ in range(50):
            limit.answered(await limit.enter())
            limit.leave()
        return limit.size

    assert run(scenario()) == FIRST
