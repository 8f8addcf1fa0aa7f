"""Finds out while it asks how many requests a server bears at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf

from agents.calling.rejections import RejectionWatch
from agents.calling.slowness import Finding, SlownessWatch, Ticket

FIRST = 4
"""Requests at a time to begin with; doubled each round trip, so it takes four of them to 64."""

CUT_REJECTED = 0.8
"""What is left of the limit after a rejection: a server that turns away what is above its limit is then used
to 90 % on average, and rejects one request in some five round trips."""

CUT_SLOW = 0.7
"""What is left after slow replies: about what was served without waiting, at `slowness.TOLERANCE`."""


class AdaptiveLimit:
    """Limits the requests in flight to one server; belongs to one event loop.

    Slow start, then additive increase and multiplicative decrease, as TCP does it (Jacobson, SIGCOMM 1988).
    Signs of congestion are rejections, unless they come whatever the number of requests, and, since
    self-hosted servers never reject anything, slow replies.
    What happens to a request that was sent before the last cut says nothing about the limit since, so a
    limit is cut at most once in a round trip.
    """

    def __init__(self, most: int) -> None:
        """At most `most` requests at a time, however well the server does."""
        self._most = most
        self._limit = float(min(FIRST, most))
        self._before_cut = self._limit
        self._doubling = True
        self._cut_at = 0
        """Number of the first request since the last cut."""
        self._next = 0
        """Number of the next request."""
        self._inside = 0
        self._waiting: deque[asyncio.Future[Ticket]] = deque()
        self._watch = SlownessWatch()
        self._rejections = RejectionWatch()

    @property
    def size(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def inside(self) -> int:
        """Requests in flight."""
        return self._inside

    async def enter(self) -> Ticket:
        """Wait for a place, first come first served; who has entered must `leave`."""
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(turn.result())
            raise

    def rejected(self, ticket: Ticket) -> float:
        """The server turned the request away. Seconds that it should keep its place before it leaves.

        Another request would be turned away from that place as well: for as long as this one cannot be sent,
        or, where rejections do not depend on places, as long as a reply takes, lest they come in a torrent.
        """
        known = self._rejections.some_are_usual
        too_many = self._rejections.rejected(ticket.inside)
        if too_many and ticket.number >= self._cut_at:
            self._watch.forget()
            self._cut(CUT_REJECTED)
        elif self._rejections.some_are_usual and not known:
            self._doubling = True
        return self._watch.usual_seconds if self._rejections.some_are_usual else inf

    def leave(self, ticket: Ticket, seconds: float | None = None) -> None:
        """`seconds` that the server took to reply: infinite for a time-out, None where it was not heard."""
        if seconds is not None and seconds < inf:
            if ticket.number >= self._cut_at:
                self._grow()
            if self._rejections.answered(ticket.inside):
                self._cut(CUT_REJECTED)
        self._inside -= 1
        finding = self._watch.ended(ticket, seconds)
        if finding is Finding.SLOW:
            self._cut(CUT_SLOW)
        elif finding is Finding.NOT_OURS:
            self._limit = max(self._limit, self._before_cut)
        if finding is not None:
            self._watch.begin(self._next, self.size)
        self._let_in()

    def _grow(self) -> None:
        """By one for each reply, or for each round trip; not while fewer are asked for."""
        if self._inside >= self.size:
            self._limit = min(self._most, self._limit + (1 if self._doubling else 1 / self._limit))

    def _cut(self, share: float) -> None:
        self._doubling = False
        self._before_cut = self._limit
        self._limit = max(1.0, self._limit * share)
        self._cut_at = self._next
        self._watch.begin(self._next, self.size)

    def _let_in(self) -> None:
        while self._waiting and self._inside < self.size:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._inside += 1
                turn.set_result(Ticket(self._next, self._inside))
                self._next += 1
