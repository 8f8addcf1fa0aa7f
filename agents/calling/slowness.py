"""Tells from the times of replies whether requests wait for each other at a server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import exp, inf, log, sqrt

TOLERANCE = 1.5
"""Half as long again as at best may be anything."""

CERTAINTY = 2.0
"""Standard errors by which a difference must stand clear, on either side."""

SMALLEST = 8
"""Requests in a sample."""

ENOUGH = 0.75
"""Share of a sample that must have ended: that much gives its quartiles, and the rest may hang."""

FEW_WAITING = 4
"""Requests that may well wait at a server: it is never idle then."""

IN_PROPORTION = 1.2
"""How much seconds per request in flight may grow where it is their number that takes the time."""

CLEARLY_FEWER = 0.85
"""A smaller change of their number shows nothing."""

QUARTILES_APART = 1.349
"""Standard deviations between the quartiles of a normal distribution."""


class Finding(Enum):
    """What a sample of requests showed."""

    FINE = auto()
    SLOW = auto()
    """Replies take longer than they did at best."""
    NOT_OURS = auto()
    """They take longer, but not because of each other: fewer at a time have not been faster."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's right to be in flight."""

    number: int
    """Requests are numbered as they are let in."""
    inside: int
    """Requests in flight with it."""


@dataclass(frozen=True, slots=True)
class _Load:
    """How a server did on one sample."""

    seconds: float
    """Median; infinite where at least half of the requests timed out."""
    error: float
    """Standard error of its logarithm."""
    inside: float
    """Requests in flight, the mean."""

    @property
    def at_least(self) -> float:
        return self.seconds * exp(-CERTAINTY * self.error)

    @property
    def at_most(self) -> float:
        return self.seconds * exp(CERTAINTY * self.error)

    def unmoved_since(self, before: _Load) -> bool:
        """As slow with clearly fewer requests in flight."""
        pace, pace_before = self.seconds / self.inside, before.seconds / before.inside
        return self.inside < CLEARLY_FEWER * before.inside and pace > IN_PROPORTION * pace_before


class SlownessWatch:
    """Takes samples of requests and compares each with the best so far.

    A sample is a number of requests sent one after the other. Its quartiles are known before the last of
    them have ended, and do not suffer from short replies coming first.
    """

    def __init__(self) -> None:
        self._best: _Load | None = None
        self._suspect: _Load | None = None
        """What was found slow last; the limit has been cut since."""
        self.begin(0, SMALLEST)

    @property
    def usual_seconds(self) -> float:
        """Of a reply at best."""
        return self._best.seconds if self._best else 0.0

    def begin(self, number: int, size: int) -> None:
        """Take the next sample from the request of this number on; `size` may be in flight."""
        self._first = number
        self._size = max(size, SMALLEST)
        self._ended = 0
        self._seconds: list[float] = []
        self._inside = 0

    def forget(self) -> None:
        """The limit was changed for another reason, so a change of speed will say nothing about the last."""
        self._suspect = None

    def ended(self, ticket: Ticket, seconds: float | None) -> Finding | None:
        """What is known once a sample is complete: None until then.

        `seconds` is None where the server was not heard, infinite for a time-out.
        """
        if not self._first <= ticket.number < self._first + self._size:
            return None
        self._ended += 1
        if seconds is not None:
            self._seconds.append(max(seconds, 1e-3))
            self._inside += ticket.inside
        if self._ended < ENOUGH * self._size:
            return None
        return self._judge() if 2 * len(self._seconds) >= self._ended else Finding.FINE

    def _judge(self) -> Finding:
        load, suspect = self._load(), self._suspect
        self._suspect = None
        if load.seconds == inf:
            return Finding.SLOW
        if suspect and load.unmoved_since(suspect):
            self._best = load
            return Finding.NOT_OURS
        if self._best is None or load.at_most < self._best.at_most:
            self._best = load
        waiting = load.inside * (1 - self._best.seconds / load.seconds)
        if load.at_least > TOLERANCE * self._best.at_most and waiting > FEW_WAITING:
            self._suspect = load
            return Finding.SLOW
        return Finding.FINE

    def _load(self) -> _Load:
        """Those that have not ended took longer than all that have."""
        ranked, heard = sorted(self._seconds), len(self._seconds)
        size = self._size * heard / self._ended
        low, middle, high = (ranked[min(int(part * size), heard - 1)] for part in (0.25, 0.5, 0.75))
        spread = log(high / low) / QUARTILES_APART if high < inf else inf
        return _Load(middle, 1.25 * spread / sqrt(size), self._inside / heard)
