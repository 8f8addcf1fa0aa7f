"""A run's budget for calls: at most one call exceeds a limit, however many are in flight."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fdd.domain import Usage
from fdd.errors import LimitReachedError


class Purse:
    """A run's spending limits and what it has spent; belongs to one event loop.

    Each call in flight reserves the most it can use. A new call waits while the reserved and spent amounts
    could together reach a limit. So all calls but the last stay below the limit together.
    """

    def __init__(
        self,
        *,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_calls: int | None = None,
        spent: Usage | None = None,
    ) -> None:
        """`max_cost` in US dollars; `spent` is what the run had spent before it was interrupted."""
        self._limits = {"--max-cost": max_cost, "--max-tokens": max_tokens, "--max-calls": max_calls}
        self._spent = spent or Usage()
        self._by_agent: defaultdict[str, Usage] = defaultdict(Usage)
        self._in_flight = 0
        self._reserved = Usage()
        """The most that the calls in flight can use."""
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def spent(self) -> Usage:
        """Usage of the whole run, also before an interruption."""
        return self._spent

    @property
    def by_agent(self) -> Mapping[str, Usage]:
        """Usage by agent since this object was created."""
        return self._by_agent

    def pay(self, agent: str, usage: Usage) -> None:
        self._spent += usage
        self._by_agent[agent] += usage

    @asynccontextmanager
    async def hold(self, most: Usage) -> AsyncIterator[None]:
        """Reserve `most` for a call as soon as it may be sent; raises `LimitReachedError` at a limit."""
        while not self._may_go():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._in_flight += 1
        self._reserved += most
        try:
            yield
        finally:
            self._in_flight -= 1
            self._reserved -= most
            self._wake()

    def _may_go(self) -> bool:
        possible = self._spent + self._reserved
        for flag, limit in self._limits.items():
            if limit is None:
                continue
            if _measured(self._spent, flag) >= limit:
                raise LimitReachedError(_explain(flag, limit, self._spent))
            # With nothing in flight a call is sent even if it could exceed the limit: waiting frees nothing.
            if self._in_flight and _measured(possible, flag) >= limit:
                return False
        return True

    def _wake(self) -> None:
        # Every waiting call checks again: a small one may fit where the first does not.
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()


def _measured(usage: Usage, flag: str) -> float:
    return {"--max-cost": usage.cost_usd, "--max-tokens": usage.tokens, "--max-calls": usage.calls}[flag]


def _explain(flag: str, limit: float, spent: Usage) -> str:
    return (
        f"{flag} {limit:g} is reached: {spent.calls} calls with {spent.tokens} tokens have cost "
        f"${spent.cost_usd:.4g}; go on with a higher one: resume DIR {flag} N"
    )
