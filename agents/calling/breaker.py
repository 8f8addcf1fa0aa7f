"""Notices that asking on is of no use, so that a run ends with a reason instead of crawling or paying."""

from __future__ import annotations

import re
from collections import Counter

from agents.calling.request import Call, CallError, CallStatus, Fault

FAILURES = 30
"""In a row: half of all requests may fail at random, and it will not happen in millions of calls."""

BLIP = 5.0
"""Seconds; many requests in flight fail together when a connection is lost for a moment."""

SILENCE = 300.0
"""Seconds without any reply, rejections for load included."""

TRIES_IN_SILENCE = 10
"""At least: a slow server may take longer than that over a few replies."""

ALIKE = 5
"""First calls that came to nothing for one reason; the next would as well."""

_NUMBERED = re.compile(r"\w*\d\w*")
"""Token counts and request ids, which differ between messages that say the same."""


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


class FirstCalls:
    """Notices that no call is answered, because all requests are rejected or all replies are cut off."""

    def __init__(self) -> None:
        self._answered = False
        self._reasons: Counter[str] = Counter()

    def ended(self, call: Call) -> str | None:
        """Why nothing more should be asked, and what to do; None while more should be."""
        self._answered = self._answered or call.status is CallStatus.ANSWERED
        rejected = call.status is CallStatus.FAILED and call.detail.startswith(Fault.REJECTED)
        if self._answered or not (rejected or call.status is CallStatus.TRUNCATED):
            return None
        reason = _NUMBERED.sub("#", call.detail)
        self._reasons[reason] += 1
        if self._reasons[reason] < ALIKE:
            return None
        if rejected:
            return (
                f"the first {ALIKE} requests were {call.detail}; mend the server and go on with `resume`, or "
                "start a new run with another model"
            )
        limit = call.request.max_tokens
        return (
            f"the first {ALIKE} replies were all cut off at {limit} tokens; start a new run with a higher "
            f"--max-reply-tokens, for example {4 * limit}: models that reason write a lot"
        )
