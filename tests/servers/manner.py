"""How the teaching server behaves: what it can do with a request, and how often it does."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Act(StrEnum):
    """What the server did with a request."""

    ANSWERED = "answered"
    DECLINED = "declined"
    """Answered that it cannot do this: it does not know the problem, or cannot read its solution."""
    NOT_UNDERSTOOD = "not_understood"
    """400, for a request that does not follow our prompts."""
    OVER_CAPACITY = "over_capacity"
    """429, for a request above the capacity of a server that rejects."""

    MALFORMED = "malformed"
    """200, without the tags or with the last one left open."""
    TRUNCATED = "truncated"
    """200, the first half of the text, with the finish reason `length`."""
    FILTERED = "filtered"
    """200, empty, with the finish reason `content_filter`."""

    RATE_LIMITED = "rate_limited"
    """429 without Retry-After."""
    RETRY_AFTER = "retry_after"
    """429 with Retry-After."""
    SERVER_ERROR = "server_error"
    """500."""
    HANG = "hang"
    """No answer for a while, then the connection is closed."""
    DROPPED = "dropped"
    """The connection is closed after the headers and half of the body."""
    GARBLED = "garbled"
    """200, with a body that is cut off or HTML instead of the expected JSON."""
    SLOW = "slow"
    """200, with the whole answer sent slowly in small pieces."""


CONTENT_FAULTS = (Act.MALFORMED, Act.TRUNCATED, Act.FILTERED)
"""Faults of the model: the same request always gets the same one."""
TRANSPORT_FAULTS = (
    Act.RATE_LIMITED,
    Act.RETRY_AFTER,
    Act.SERVER_ERROR,
    Act.HANG,
    Act.DROPPED,
    Act.GARBLED,
    Act.SLOW,
)
"""Faults of the connection: the same request may succeed the next time."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Settings of the server's behaviour."""

    seed: int = 0
    wrong: float = 0.0
    """Share of answers that are wrong on purpose."""
    faults: Mapping[Act, float]
    """Share of requests that get each fault. Content faults and transport faults each add up to at most 1."""
    hang_seconds: float = 10.0
    slow_seconds: float = 1.0
    retry_after: int = 1
    """Seconds."""
    latency: float = 0.0
    """Seconds from a request to its answer."""
    capacity: int | None = None
    """Number of requests served at a time; None for no limit."""
    over: Literal["queue", "reject"] = "queue"
    """What happens to requests above the capacity."""
    echo_key: bool = False
    """Whether every error quotes the Authorization header, as careless servers do."""
    fail_after: int | None = None
    """Number of requests after which every request gets 500; None for never."""

    def chance(self, *parts: str) -> random.Random:
        """Returns a random generator that depends only on the server's seed and `parts`."""
        return random.Random("\n".join((str(self.seed), *parts)))

    def is_wrong(self, body: str) -> bool:
        return self.chance("wrong", body).random() < self.wrong

    def content_fault(self, body: str) -> Act | None:
        return self._fault(CONTENT_FAULTS, self.chance("content", body))

    def transport_fault(self, body: str, seen: int) -> Act | None:
        """Returns the fault of a request whose body was received `seen` times before; None for no fault."""
        return self._fault(TRANSPORT_FAULTS, self.chance("transport", body, str(seen)))

    def _fault(self, among: Sequence[Act], chance: random.Random) -> Act | None:
        drawn = chance.random()
        for fault in among:
            drawn -= self.faults.get(fault, 0.0)
            if drawn < 0:
                return fault
        return None
