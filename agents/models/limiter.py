"""Adapts the number of requests in flight to what a server can take."""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf

from fdd.agents.models.rejections import RejectionWatch
from fdd.agents.models.slowness import Finding, SlownessWatch, Ticket

FIRST = 4
"""Requests in flight at the start. The limit doubles each round trip, so four round trips lead to 64."""

CUT_REJECTED = 0.8
"""Factor for the limit after a rejection. A server that rejects what is above its own limit is then used to
90 % on average, and rejects one request in about five round trips."""

CUT_SLOW = 0.7
"""Factor for the limit after slow replies: if they take `slowness.TOLERANCE` times as long, about this share
of the requests was being served while the others waited."""


class AdaptiveLimit:
    """Limits the requests in flight to one server; belongs to one event loop.

    Uses slow start, then additive increase and multiplicative decrease, as TCP does (Jacobson, SIGCOMM
    1988). There are two signs of congestion: rejections, unless they do not depend on the number of requests,
    and slow replies, because self-hosted servers never reject anything.
    A request sent before the last cut says nothing about the limit since then, so the limit is cut at most
    once per round trip.
    """

    def __init__(self, most: int) -> None:
        """`most` is the largest number of requests in flight, however fast the server is."""
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
        """Wait for a slot, first come first served; the caller must then `leave`."""
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            # Admitted and cancelled at the same time: free the slot again.
            if not turn.cancelled():
                self.leave(turn.result())
            raise

    def rejected(self, ticket: Ticket) -> float:
        """Count a rejected request; return the seconds for which it should keep its slot before it leaves.

        Another request in that slot would be rejected as well. So the slot is kept until this request can be
        sent again (infinite seconds). If rejections do not depend on the requests in flight, it is kept for
        as long as a reply takes, or requests and rejections would follow each other without a pause.
        """
        known = self._rejections.some_are_usual
        too_many = self._rejections.rejected(ticket.inside)
        if too_many and ticket.number >= self._cut_at:
            self._watch.forget()
            self._cut(CUT_REJECTED)
        elif self._rejections.some_are_usual and not known:
            # The cuts so far were for rejections that do not depend on the limit: grow fast again.
            self._doubling = True
        return self._watch.usual_seconds if self._rejections.some_are_usual else inf

    def leave(self, ticket: Ticket, seconds: float | None = None) -> None:
        """Free the slot; `seconds` is the response time, infinite for a time-out, None without a response."""
        if seconds is not None and seconds < inf:
            # Before the slot is freed, since `_grow` asks whether all slots are in use.
            if ticket.number >= self._cut_at:
                self._grow()
            if self._rejections.answered(ticket.inside):
                self._cut(CUT_REJECTED)
        self._inside -= 1
        finding = self._watch.ended(ticket, seconds)
        if finding is Finding.SLOW:
            self._cut(CUT_SLOW)
        elif finding is Finding.NOT_OURS:
            # The cut has not helped, so it is undone.
            self._limit = max(self._limit, self._before_cut)
        if finding is not None:
            self._watch.begin(self._next, self.size)
        self._let_in()

    def _grow(self) -> None:
        """Grow by one per reply while doubling, else by one per round trip; not while slots are unused."""
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
