"""Notices that a server has stopped answering, so that a run ends with a reason instead of crawling."""

from __future__ import annotations

from agents.calling.request import CallError, Fault

FAILURES = 30
"""In a row: half of all requests may fail at random, and it will not happen in millions of calls."""

BLIP = 5.0
"""Seconds; many requests in flight fail together when a connection is lost for a moment."""

SILENCE = 300.0
"""Seconds without any reply, rejections for load included."""

TRIES_IN_SILENCE = 10
"""At least: a slow server may take longer than that over a few replies."""


class Breaker:
    """Counts what has failed since the last reply."""

    def __init__(self) -> None:
        self._trying_since: float | None = None
        self._tries = 0
        self._failures = 0
        """Tries, without rejections for sending too much."""

    def sending(self, now: float) -> None:
        """Times are seconds on any clock that does not go back."""
        if self._trying_since is None:
            self._trying_since = now

    def answered(self) -> None:
        self._trying_since = None
        self._tries = self._failures = 0

    def failed(self, error: CallError, now: float) -> str | None:
        """Why no more should be tried; None while it should."""
        self.sending(now)
        assert self._trying_since is not None
        waited = now - self._trying_since
        self._tries += 1
        self._failures += error.fault is not Fault.RATE_LIMITED
        failing = self._failures >= FAILURES and waited >= BLIP
        silent = self._tries >= TRIES_IN_SILENCE and waited >= SILENCE
        if not (failing or silent):
            return None
        return f"{self._tries} tries in {waited:.0f} s brought no reply, the last one: {error}"
