"""Reads what a model replied: each part between its tags, all of them or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.calling.request import CallStatus
from domain import Reason

_THINKING = "<think>", "</think>"
_FENCED = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)

REASONS = {
    CallStatus.TRUNCATED: Reason.TRUNCATED,
    CallStatus.FILTERED: Reason.FILTERED,
    CallStatus.MALFORMED: Reason.MALFORMED,
    CallStatus.FAILED: Reason.CALL_FAILED,
}
"""What a problem without an answer is told about the call it was lost in."""


def read_parts(text: str, names: Sequence[str]) -> dict[str, str] | None:
    """The text between `<NAME>` and `</NAME>` for each of the names; None unless each stands there once.

    They must stand in this order. What a reasoning model thinks aloud first, and what stands around the
    tags, is passed over; so are the fences of a code block that is all of a part.
    """
    rest = _said(text)
    parts, at = {}, 0
    for name in names:
        opening, closing = f"<{name}>", f"</{name}>"
        start = rest.find(opening, at)
        end = rest.find(closing, start)
        if min(start, end) < 0 or rest.count(opening) != 1 or rest.count(closing) != 1:
            return None
        parts[name] = _unfenced(rest[start + len(opening) : end].strip())
        at = end
    return parts


def _said(text: str) -> str:
    """The reply without what was thought aloud before it; all of it where the thought has no end."""
    opening, closing = _THINKING
    _, ended, said = text.partition(closing)
    return said if ended and text.lstrip().startswith(opening) else text


def _unfenced(text: str) -> str:
    fenced = _FENCED.fullmatch(text)
    return fenced[1].strip() if fenced else text
