"""Settings of calls to models; every default lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True, kw_only=True, slots=True)
class CallConfig:
    """How models are asked, and how much a run may spend on them."""

    temperature: NonNegativeFloat = 0.7
    max_reply_tokens: PositiveInt = 1024
    """Longest reply; one that is cut off there is never used."""
    seconds: PositiveFloat = 120.0
    """Time-out of one request."""
    tries: PositiveInt = 8
    """Requests sent for one call before it is given up."""
    at_once: PositiveInt = 256
    """Most requests in flight; how many of them the servers bear is found out while they are asked."""
    prices: str | None = None
    """TOML file of prices that override or extend those known."""
    max_cost: NonNegativeFloat | None = None
    """US dollars."""
    max_tokens: NonNegativeInt | None = None
    """Tokens of prompts and replies together."""
    max_calls: NonNegativeInt | None = None

    @property
    def prices_file(self) -> Path | None:
        return Path(self.prices) if self.prices else None
