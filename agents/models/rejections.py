"""Distinguishes rejections that fewer requests in flight would avoid from those that occur anyway."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

REJECTIONS = 6
"""Rejections after which to decide whether they depend on the number of requests in flight."""

AS_OFTEN_WITH_FEWER = 1.08
"""Largest ratio of the requests in flight at rejections to those at answers (means) at which rejections count
as independent of load. A server that rejects for load has a ratio of 1.1 or more over a long time."""

MOST_USUAL = 0.4
"""Largest share of rejections that counts as usual. A server that keeps rejecting more must get fewer
requests, whatever its reason."""

PATIENCE = 3
"""Samples in a row above `MOST_USUAL`, with cuts between them, after which no share counts as usual."""

SAMPLE = 100
"""Fewest requests from which to decide whether more than usual are rejected."""

ROUND_TRIPS = 3
"""Fewest round trips in a sample: within a single one, rejections arrive first and replies later."""

CERTAINTY = 3.0
"""Standard errors by which a share must exceed the usual one."""


@dataclass(slots=True)
class _Tally:
    """Numbers of answered and rejected requests, and the sums of the requests in flight with each."""

    answered: int = 0
    rejected: int = 0
    inside_answered: int = 0
    inside_rejected: int = 0

    @property
    def requests(self) -> int:
        return self.answered + self.rejected

    @property
    def share(self) -> float:
        """Share of rejections."""
        return self.rejected / self.requests

    def rejects_as_often_with_fewer(self) -> bool:
        level = AS_OFTEN_WITH_FEWER * self.inside_answered * self.rejected
        return self.inside_rejected * self.answered <= level


class RejectionWatch:
    """Decides from answered and rejected requests whether there are too many in flight.

    At first each rejection is a sign of too many. If rejections are no less frequent with few requests in
    flight, they do not depend on load: their share counts as usual, and only a clearly higher one is a sign.
    """

    def __init__(self) -> None:
        self._now = _Tally()
        self._usual: _Tally | None = None
        self._refusals = 0
        """Samples in a row with a share of rejections above `MOST_USUAL`."""

    @property
    def some_are_usual(self) -> bool:
        return self._usual is not None

    def answered(self, inside: int) -> bool:
        """Count an answered request, sent with `inside` in flight; True for a sign of too many."""
        self._now.answered += 1
        self._now.inside_answered += inside
        return self._usual is not None and self._compare(self._usual, inside)

    def rejected(self, inside: int) -> bool:
        """Count a rejected request, sent with `inside` in flight; True for a sign of too many."""
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
        # Standard error of the difference between two shares.
        error = sqrt(usual.share * (1 - usual.share) * (1 / now.requests + 1 / usual.requests))
        too_many = now.share > usual.share + CERTAINTY * error
        self._refusals = self._refusals + 1 if now.share > MOST_USUAL else 0
        # Without any rejections there is no usual share left; with too many despite cuts, none is acceptable.
        if now.rejected == 0 or self._refusals == PATIENCE:
            self._usual = None
        elif not too_many:
            usual.answered += now.answered
            usual.rejected += now.rejected
        return too_many
