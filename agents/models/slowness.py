"""Decides from response times whether requests wait for each other at a server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import exp, inf, log, sqrt

TOLERANCE = 1.5
"""Multiple of the best response time that must be exceeded: smaller delays may have any cause."""

CERTAINTY = 2.0
"""Standard errors of margin on each side of a comparison."""

SMALLEST = 8
"""Fewest requests in a sample."""

ENOUGH = 0.75
"""Share of a sample that must have ended: enough for its quartiles, and the rest may hang."""

FEW_WAITING = 4
"""Requests that may wait at a server without counting as slow: they keep it from being idle."""

IN_PROPORTION = 1.2
"""Largest growth of the response time per request in flight if the number of requests causes the delay."""

CLEARLY_FEWER = 0.85
"""Largest share of the former requests in flight that counts as fewer; a smaller change shows nothing."""

QUARTILES_APART = 1.349
"""Distance between the quartiles of a normal distribution, in standard deviations."""


class Finding(Enum):
    """Result of a sample of requests."""

    FINE = auto()
    SLOW = auto()
    """Replies take clearly longer than in the best sample."""
    NOT_OURS = auto()
    """Replies take longer, but not because of our requests: fewer in flight were not faster."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission for one request to be in flight."""

    number: int
    """Requests are numbered in the order in which they are admitted."""
    inside: int
    """Requests in flight at its admission, itself included."""


@dataclass(frozen=True, slots=True)
class _Load:
    """Response time and load of a server over one sample."""

    seconds: float
    """Median response time; infinite if at least half of the requests timed out."""
    error: float
    """Standard error of the median's logarithm."""
    inside: float
    """Mean number of requests in flight."""

    @property
    def at_least(self) -> float:
        return self.seconds * exp(-CERTAINTY * self.error)

    @property
    def at_most(self) -> float:
        return self.seconds * exp(CERTAINTY * self.error)

    def unmoved_since(self, before: _Load) -> bool:
        """Whether it is about as slow as before although clearly fewer requests are in flight."""
        pace, pace_before = self.seconds / self.inside, before.seconds / before.inside
        return self.inside < CLEARLY_FEWER * before.inside and pace > IN_PROPORTION * pace_before


class SlownessWatch:
    """Takes samples of requests and compares each with the best so far.

    A sample is a series of consecutive requests. Its quartiles are known before the last requests have ended,
    and are not biased by short replies arriving first.
    """

    def __init__(self) -> None:
        self._best: _Load | None = None
        self._suspect: _Load | None = None
        """The last slow sample, after which the limit was cut."""
        self.begin(0, SMALLEST)

    @property
    def usual_seconds(self) -> float:
        """Median response time of the best sample; 0 before the first."""
        return self._best.seconds if self._best else 0.0

    def begin(self, number: int, size: int) -> None:
        """Start the next sample at the request with this number; `size` requests may be in flight."""
        self._first = number
        self._size = max(size, SMALLEST)
        self._ended = 0
        self._seconds: list[float] = []
        self._inside = 0

    def forget(self) -> None:
        """Drop the last slow sample: after a cut for another reason it can no longer be compared with."""
        self._suspect = None

    def ended(self, ticket: Ticket, seconds: float | None) -> Finding | None:
        """Count a finished request; return the finding when this completes the sample, else None.

        `seconds` is the response time, infinite for a time-out, None without a response.
        """
        if not self._first <= ticket.number < self._first + self._size:
            return None
        self._ended += 1
        if seconds is not None:
            # Above zero, because `_load` takes logarithms.
            self._seconds.append(max(seconds, 1e-3))
            self._inside += ticket.inside
        if self._ended < ENOUGH * self._size:
            return None
        # With response times for fewer than half of the requests the quartiles would mean little.
        return self._judge() if 2 * len(self._seconds) >= self._ended else Finding.FINE

    def _judge(self) -> Finding:
        load, suspect = self._load(), self._suspect
        self._suspect = None
        if load.seconds == inf:
            return Finding.SLOW
        if suspect and load.unmoved_since(suspect):
            # The server itself is slower than before: later samples are compared with its present speed.
            self._best = load
            return Finding.NOT_OURS
        if self._best is None or load.at_most < self._best.at_most:
            self._best = load
        # By Little's law, inside * best / now of the requests are being served, and the rest wait.
        waiting = load.inside * (1 - self._best.seconds / load.seconds)
        if load.at_least > TOLERANCE * self._best.at_most and waiting > FEW_WAITING:
            self._suspect = load
            return Finding.SLOW
        return Finding.FINE

    def _load(self) -> _Load:
        """Quartiles of the whole sample: requests that have not ended rank above all that have."""
        ranked, heard = sorted(self._seconds), len(self._seconds)
        size = self._size * heard / self._ended
        low, middle, high = (ranked[min(int(part * size), heard - 1)] for part in (0.25, 0.5, 0.75))
        spread = log(high / low) / QUARTILES_APART if high < inf else inf
        # The standard error of a normal sample's median is 1.25 standard deviations / sqrt(size).
        return _Load(middle, 1.25 * spread / sqrt(size), self._inside / heard)
