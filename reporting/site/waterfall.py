"""Lays out spans as bars on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fdd.storage.records import SpanRecord

SCALE = 200.0
"""Width of the time axis in SVG units."""
THINNEST = 1.0
"""Least width of a bar, so that short steps are visible."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A span, its position on the axis, and a link to the page about it (empty if there is none)."""

    span: SpanRecord
    left: float
    width: float
    link: str


def bars_of(spans: Sequence[SpanRecord]) -> tuple[list[Bar], float]:
    """Returns a bar for each span, and the length of the axis in seconds.

    The axis covers the steps. Rounds and phases reach beyond it and are cut, unless there is nothing else.
    """
    steps = [span for span in spans if span.kind not in ("run", "round", "phase")] or spans
    if not steps:
        return [], 0.0
    first = min(span.started for span in steps)
    length = max((span.started - first).total_seconds() + span.seconds for span in steps) or 1.0

    def place(seconds: float) -> float:
        return SCALE * min(1.0, max(0.0, seconds / length))

    bars = []
    for span in spans:
        begin = (span.started - first).total_seconds()
        left = min(place(begin), SCALE - THINNEST)  # so that the last bars stay on the axis
        bars.append(Bar(span, left, max(THINNEST, place(begin + span.seconds) - left), _link(span)))
    return bars, length


def _link(span: SpanRecord) -> str:
    subject = quote(span.subject, safe="")
    if span.kind == "round":
        return f"/trace?round={span.round}"
    if span.kind == "phase":
        return f"/trace?round={span.round}&phase={quote(span.phase, safe='')}"
    if subject.startswith("c-"):
        return f"/calls/{subject}"
    if subject.startswith("p-") and not span.problem_id:
        return f"/problems/{subject}"
    return f"/problems/{quote(span.problem_id, safe='')}#{subject}" if span.problem_id else ""
