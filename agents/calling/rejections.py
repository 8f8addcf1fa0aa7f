"""Tells rejections that fewer requests at a time would avoid from those that come anyway."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

REJECTIONS = 6
"""By so many it is seen whether they depend on the number of requests in flight."""

AS_OFTEN_WITH_FEWER = 1.08
"""A server that rejects requests for their number does so with the most in flight: a tenth more than when it
answers, in the mean over a long time, or still more."""

MOST_USUAL = 0.4
"""Share of rejections; a server that goes on to reject more is to be left in peace, whatever its reason."""

PATIENCE = 3
"""Samples in a row, with cuts between them."""

SAMPLE = 100
"""Requests, at least, by which it is seen whether more than usual are rejected."""

ROUND_TRIPS = 3
"""At least: within one, rejections come first and replies later."""

CERTAINTY = 3.0
"""Standard errors."""


@dataclass(slots=True)
class _Tally:
    """Requests by what became of them, and the sums of how many were in flight with each."""

    answered: int = 0
    rejected: int = 0
    inside_answered: int = 0
    inside_rejected: int = 0

    @property
    def requests(self) -> int:
        return self.answered + self.rejected

    @property
    def share(self) -> float:
        """Of rejections."""
        return self.rejected / self.requests

    def rejects_as_often_with_fewer(self) -> bool:
        level = AS_OFTEN_WITH_FEWER * self.inside_answered * self.rejected
        return self.inside_rejected * self.answered <= level


class RejectionWatch:
    """Counts requests that were answered and rejected.

    At first each rejection is a sign of too many requests. Where they come no less often with few in flight
    they are not for their number: their share is usual from then on, and only clearly more is a sign.
    """

    def __init__(self) -> None:
        self._now = _Tally()
        self._usual: _Tally | None = None
        self._refusals = 0
        """Samples in a row of which more than `MOST_USUAL` was rejected."""

    @property
    def some_are_usual(self) -> bool:
        return self._usual is not None

    def answered(self, inside: int) -> bool:
        """Count a request, with `inside` in flight when it was sent; True for a sign of too many."""
        self._now.answered += 1
        self._now.inside_answered += inside
        return self._usual is not None and self._compare(self._usual, inside)

    def rejected(self, inside: int) -> bool:
        """The same."""
        self._now.rejected += 1
        self._now.inside_rejected += inside
        if self._usual is not None:
            return self._compare(self._usual, inside)
        if self._now.rejected == REJECTIONS:
            self._learn()
        return self._usual is None

    def _learn(self) -> None:
        now, self._now = self._now, _Tally()
        if now.share <= MOST_USUAL and now.rejects_as_often_with_fewer():
            self._usual, self._refusals = now, 0

    def _compare(self, usual: _Tally, inside: int) -> bool:
        now = self._now
        if now.requests < max(SAMPLE, ROUND_TRIPS * inside):
            return False
        self._now = _Tally()
        error = sqrt(usual.share * (1 - usual.share) * (1 / now.requests + 1 / usual.requests))
        too_many = now.share > usual.share + CERTAINTY * error
        self._refusals = self._refusals + 1 if now.share > MOST_USUAL else 0
        if now.rejected == 0 or self._refusals == PATIENCE:
            self._usual = None
        elif not too_many:
            usual.answered += now.answered
            usual.rejected += now.rejected
        return too_many
