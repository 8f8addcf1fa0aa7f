"""How the number of requests in flight adapts: simulated servers in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from statistics import fmean

import pytest

from fdd.agents.models.limiter import FIRST, AdaptiveLimit
from fdd.agents.models.slowness import Ticket
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


class AtRandom:
    """Rejects a share of the requests, whatever happens."""

    def __init__(self, share: float) -> None:
        self._share, self._chance = share, random.Random(0)

    def __call__(self, now: float, full: bool) -> bool:
        del now, full
        return self._chance.random() < self._share


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

    async def answer(number: int) -> float:
        begun = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if patience == inf else patience), server:
                await asyncio.sleep(work(number))
            return loop.time() - begun
        return inf

    async def call(number: int) -> None:
        while True:
            ticket = await limit.enter()
            if not refuses(loop.time(), server.locked()):
                limit.leave(ticket, await answer(number))
                return
            rejections.append(loop.time())
            in_place = min(0.5, limit.rejected(ticket))
            await asyncio.sleep(in_place)
            limit.leave(ticket)
            await asyncio.sleep(0.5 - in_place)

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


def test_a_server_that_queues_is_kept_busy_without_a_long_queue() -> None:
    course = run(simulate(20_000, 64, varying(0.3)))
    settled = course.sizes[30:-5]
    assert min(settled) >= 60
    assert fmean(settled) < 2 * 64


def test_a_server_that_rejects_is_used_to_four_fifths_with_few_rejections() -> None:
    course = run(simulate(1000, 20, lambda _: 1.0, refuses=when_full))
    assert 1000 / 20 / course.seconds > 0.8
    assert sum(at > 10 for at in course.rejections) / 1000 < 0.05


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3])
def test_rejections_at_random_do_not_bring_everything_to_a_crawl(share: float) -> None:
    course = run(simulate(3000, 1000, lambda _: 1.0, most=64, refuses=AtRandom(share)))
    assert fmean(course.sizes[-20:]) > 50
    assert course.seconds < 3 * 3000 / 64


def test_a_server_with_so_many_requests_a_minute_is_left_in_peace() -> None:
    course = run(simulate(100, 1000, lambda _: 1.0, refuses=PerMinute(30)))
    assert course.seconds < 1.1 * 200
    assert course.rejected < 2


def test_a_server_that_works_on_one_request_at_a_time_is_not_buried() -> None:
    course = run(simulate(300, 1, lambda _: 1.0))
    assert max(course.sizes) <= 32
    assert fmean(course.sizes[100:]) <= 16


@pytest.mark.parametrize("deviation", [0.3, 0.5, 0.8])
def test_replies_of_different_lengths_are_no_sign_of_congestion(deviation: float) -> None:
    course = run(simulate(5000, 1000, varying(deviation), most=64))
    assert fmean(course.sizes[8:]) > 60


def test_longer_replies_after_a_while_do_not_shrink_the_limit_for_long() -> None:
    work = varying(0.5)
    course = run(simulate(8000, 1000, lambda n: work(n) * (1 if n < 2000 else 3), most=64))
    assert fmean(course.sizes[-60:-5]) > 60


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


async def fill(limit: AdaptiveLimit, requests: int) -> list[Ticket]:
    return [await limit.enter() for _ in range(requests)]


def test_rejections_of_one_round_trip_cut_the_limit_once() -> None:
    async def scenario() -> tuple[int, int]:
        limit = AdaptiveLimit(100)
        tickets = await fill(limit, FIRST)
        limit.rejected(tickets[0])
        after_one = limit.size
        for ticket in tickets[1:]:
            limit.rejected(ticket)
        return after_one, limit.size

    after_one, after_all = run(scenario())
    assert after_one == after_all < FIRST


def test_rejections_leave_one_place() -> None:
    async def scenario() -> int:
        limit = AdaptiveLimit(100)
        for _ in range(50):
            ticket = await limit.enter()
            limit.rejected(ticket)
            limit.leave(ticket)
        return limit.size

    assert run(scenario()) == 1


def test_the_limit_does_not_grow_while_fewer_requests_are_made() -> None:
    async def scenario() -> int:
        limit = AdaptiveLimit(100)
        for _ in range(50):
            limit.leave(await limit.enter(), 1.0)
        return limit.size

    assert run(scenario()) == FIRST


def test_a_place_is_passed_on_when_who_waited_for_it_is_cancelled() -> None:
    async def scenario() -> int:
        limit = AdaptiveLimit(1)
        first = await limit.enter()
        waiting = [asyncio.create_task(limit.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limit.leave(first)
        waiting[1].cancel()
        await asyncio.wait(waiting)
        await waiting[2]
        return limit.inside

    assert run(scenario()) == 1
