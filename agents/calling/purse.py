"""What a run may spend on calls: no limit is passed by more than one call, however many are in flight."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from domain import Usage
from errors import LimitReachedError


class Purse:
    """A run's limits and what it has spent of them; belongs to one event loop.

    A call in flight counts with the most it can cost. While that could reach a limit a new call waits, so
    everything but the last call together stays below it.
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
        """The most that they can use."""
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def spent(self) -> Usage:
        """By the whole run."""
        return self._spent

    @property
    def by_agent(self) -> Mapping[str, Usage]:
        """Since this purse was opened."""
        return self._by_agent

    def pay(self, agent: str, usage: Usage) -> None:
        self._spent += usage
        self._by_agent[agent] += usage

    @asynccontextmanager
    async def hold(self, most: Usage) -> AsyncIterator[None]:
        """Reserve `most` for a call in flight, as soon as it may go; `LimitReachedError` if it may not."""
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
            if self._in_flight and _measured(possible, flag) >= limit:
                return False
        return True

    def _wake(self) -> None:
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
