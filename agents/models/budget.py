"""A run's budget for calls: at most one call exceeds a limit, however many are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fdd.agents.models.config import CallConfig
from fdd.domain import Usage
from fdd.errors import LimitReachedError

NOTHING = Usage()


class Budget:
    """A run's spending limits and what it has spent; belongs to one event loop.

    Each call in flight reserves the most it can use. A new call waits while the reserved and spent amounts
    could together reach a limit. So all calls but the last stay below the limit together.
    """

    def __init__(self, config: CallConfig, spent: Usage = NOTHING) -> None:
        """`spent` is what the run had spent before it was interrupted."""
        limits = {
            "--max-cost": config.max_cost,
            "--max-tokens": config.max_tokens,
            "--max-calls": config.max_calls,
        }
        self._limits = {flag: limit for flag, limit in limits.items() if limit is not None}
        self.spent = spent
        """Usage of the whole run, also before an interruption."""
        self._in_flight = 0
        self._reserved = dict.fromkeys(_amounts(NOTHING), 0.0)
        """The most that all calls in flight can use."""
        self._ended = asyncio.Event()
        """Set when the next call in flight ends, and then replaced."""

    @asynccontextmanager
    async def reserve(self, most: Usage) -> AsyncIterator[None]:
        """Reserve `most` for a call as soon as it may be sent; raises `LimitReachedError` at a limit."""
        while not self._has_room():
            await self._ended.wait()
        self._reserve(most, 1)
        try:
            yield
        finally:
            self._reserve(most, -1)
            # Every waiting call checks again: a small one may fit where the first does not.
            self._ended.set()
            self._ended = asyncio.Event()

    def _has_room(self) -> bool:
        spent = _amounts(self.spent)
        for flag, limit in self._limits.items():
            if spent[flag] >= limit:
                raise LimitReachedError(
                    f"{flag} {limit:g} is reached: {self.spent.calls} calls with {self.spent.tokens} tokens "
                    f"have cost ${self.spent.cost_usd:.4g}; go on with a higher one: resume DIR {flag} N"
                )
        # With nothing in flight a call is sent even if it could exceed a limit: waiting would free nothing.
        if not self._in_flight or not self._limits:
            return True
        return all(spent[flag] + self._reserved[flag] < limit for flag, limit in self._limits.items())

    def _reserve(self, most: Usage, sign: int) -> None:
        self._in_flight += sign
        for flag, amount in _amounts(most).items():
            # Exactly 0 without calls in flight, whatever was lost in rounding.
            self._reserved[flag] = self._reserved[flag] + sign * amount if self._in_flight else 0.0


def _amounts(usage: Usage) -> dict[str, float]:
    return {"--max-cost": usage.cost_usd, "--max-tokens": usage.tokens, "--max-calls": usage.calls}
