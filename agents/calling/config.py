"""Settings of calls to models; every default lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class CallConfig:
    """How models are asked, and how much a run may spend on them."""

    temperature: float = 0.7
    max_reply_tokens: int = 1024
    """Longest reply; one that is cut off there is never used."""
    seconds: float = 120.0
    """Time-out of one request."""
    tries: int = 8
    """Requests sent for one call before it is given up."""
    at_once: int = 256
    """Most requests in flight; how many of them the servers bear is found out while they are asked."""
    prices: str | None = None
    """TOML file of prices that override or extend those known."""
    max_cost: float | None = None
    """US dollars."""
    max_tokens: int | None = None
    """Tokens of prompts and replies together."""
    max_calls: int | None = None

    @property
    def prices_file(self) -> Path | None:
        return Path(self.prices) if self.prices else None
