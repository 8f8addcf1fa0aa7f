"""Adapts the number of requests in flight to what a server can take."""

from __future__ import annotations

import asyncio
from collections import deque

FIRST = 4
"""Requests in flight at the start. The limit doubles each round trip, so four round trips lead to 64."""
CUT = 0.8
"""Factor for the limit after a sign of congestion. A server that rejects what is above its own limit is then
used to 90 % on average, and rejects one request in about five round trips."""
TOO_LATE = 3
"""Replies that make up for one time-out: a server is congested when more than a quarter of its requests time
out. A few may hang for any other reason."""


class AdaptiveLimit:
    """Limits the requests in flight to one server; belongs to one event loop.

    Uses slow start, then additive increase and multiplicative decrease, as TCP does (Jacobson, SIGCOMM
    1988). Rejections and many time-outs are the signs of congestion. A request sent before the last cut says
    nothing about the limit since then, so the limit is cut at most once per round trip.
    """

    def __init__(self, most: int, first: int = FIRST) -> None:
        """`most` is the largest number of requests in flight, however fast the server is."""
        self.inside = 0
        """Requests in flight."""
        self._most = most
        self._limit = float(min(first, most))
        self._doubling = True
        self._next = self._cut_at = 0
        """Numbers of the next request and of the first since the last cut, in the order of admission."""
        self._late = 0
        """Time-outs since the last cut, times `TOO_LATE`, less the replies that made up for them."""
        self._waiting: deque[asyncio.Future[int]] = deque()

    @property
    def size(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    async def enter(self) -> int:
        """Wait for a slot, first come first served; return the request's number. The caller must `leave`."""
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        return await turn

    def leave(self) -> None:
        self.inside -= 1
        self._admit()

    def answered(self, number: int) -> None:
        """Grow by one per reply while doubling, else by one per round trip; not while slots are unused.

        The request must still have its slot.
        """
        self._late = max(0, self._late - 1)
        if number >= self._cut_at and self.inside >= self.size:
            self._limit = min(self._most, self._limit + (1 if self._doubling else 1 / self._limit))

    def rejected(self, number: int) -> None:
        if number >= self._cut_at:
            self._late, self._doubling, self._cut_at = 0, False, self._next
            self._limit = max(1.0, self._limit * CUT)

    def timed_out(self, number: int) -> None:
        """Count a time-out; enough of them have the effect of a rejection."""
        if number >= self._cut_at:
            self._late += TOO_LATE
            if self._late > TOO_LATE * self.size / 2:
                self.rejected(number)

    def _admit(self) -> None:
        while self._waiting and self.inside < self.size:
            turn = self._waiting.popleft()
            if not turn.cancelled():  # as all are when the event loop ends
                self.inside += 1
                turn.set_result(self._next)
                self._next += 1
