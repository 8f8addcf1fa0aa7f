"""Detects that further requests are useless, so that a run ends with a reason and wastes no time or money."""

from __future__ import annotations

import re
from collections import Counter

from fdd.agents.models.request import Call, CallError, CallStatus, Fault

FAILURES = 30
"""Failures in a row that end the run. Even if half of all requests fail at random, this does not happen in
millions of calls."""
BLIP = 5.0
"""Seconds that the failures must last: a connection lost for a moment fails many requests at once."""
SILENCE = 300.0
"""Seconds without any reply that end the run, also if the server only rejects requests for load."""
TRIES_IN_SILENCE = 10
"""Fewest failed tries before `SILENCE` ends a run: a slow server may need that long for a few replies."""
LONGEST_RETRY_AFTER = 300.0
"""Seconds. If a server asks for a longer wait, the run ends, and a person can resume it later."""
ALIKE = 5
"""First calls that must fail for the same reason to end the run: the next would fail as well."""
_NUMBERED = re.compile(r"\w*\d\w*")
"""Matches token counts and request ids, which differ between messages that say the same."""


class Breaker:
    """Counts what has failed since the last reply, and how the first calls ended."""

    def __init__(self) -> None:
        self._trying_since: float | None = None
        self._tries = 0
        self._failures = 0
        """Failed tries, without those rejected by a rate limit."""
        self._first_answered = False
        self._first_reasons: Counter[str] = Counter()

    def sending(self, now: float) -> None:
        """Record that a request is sent; `now` is in seconds, on any clock that does not go back."""
        if self._trying_since is None:
            self._trying_since = now

    def replied(self) -> None:
        self._trying_since = None
        self._tries = self._failures = 0

    def failed(self, error: CallError, now: float) -> str | None:
        """Count a failed try; return why no more should be made, or None to continue."""
        self.sending(now)
        assert self._trying_since is not None
        waited = now - self._trying_since
        self._tries += 1
        # A server that limits the rate is alive; only `SILENCE` ends the run for it.
        self._failures += error.fault is not Fault.RATE_LIMITED
        if error.fault is Fault.DENIED:
            return str(error)
        if error.fault is not Fault.REJECTED and (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
            return f"the server asks to wait {error.retry_after:.0f} s ({error})"
        failing = self._failures >= FAILURES and waited >= BLIP
        silent = self._tries >= TRIES_IN_SILENCE and waited >= SILENCE
        if not (failing or silent):
            return None
        return f"{self._tries} tries in {waited:.0f} s brought no reply, the last one: {error}"

    def ended(self, call: Call) -> str | None:
        """Count a call, also one from the cache; return why no more should be made, or None to continue.

        That is if all of the first requests are rejected, or all of the first replies cut off.
        """
        self._first_answered = self._first_answered or call.status is CallStatus.ANSWERED
        # The text of a `CallError` begins with its fault.
        rejected = call.status is CallStatus.FAILED and call.detail.startswith(Fault.REJECTED)
        if self._first_answered or not (rejected or call.status is CallStatus.TRUNCATED):
            return None
        reason = _NUMBERED.sub("#", call.detail)
        self._first_reasons[reason] += 1
        if self._first_reasons[reason] < ALIKE:
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
