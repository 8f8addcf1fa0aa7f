"""Spans of the agents' steps. They are built from the agents' results and stored together with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import fsum
from time import monotonic

from fdd.domain import Timing, Verdict
from fdd.storage.records import CallRecord, Record, SpanKind, SpanRecord, phase_id, span_id
from fdd.storage.store import Store

LONGEST_WAIT = 1.0
"""Seconds after which finished work is stored, so that people who follow the run see it soon."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase of a round; builds the spans that belong to it."""

    round: int
    phase: str

    def span(
        self,
        kind: SpanKind,
        name: str,
        timing: Timing,
        *,
        status: str,
        parent: str = "",
        problem: str | None = None,
        agent: str = "",
        subject: str = "",
        cost_usd: float = 0.0,
    ) -> SpanRecord:
        """Builds a span with the given parent; an empty `parent` means the phase itself.

        Name and subject must differ from those of all other children of that parent, as the id has them.
        """
        parent = parent or phase_id(self.round, self.phase)
        return SpanRecord(
            id=span_id(parent, name, subject),
            parent=parent,
            kind=kind,
            name=name,
            round=self.round,
            phase=self.phase,
            problem_id=problem,
            agent=agent,
            status=status,
            subject=subject,
            cost_usd=cost_usd,
            started=timing.started,
            seconds=timing.seconds,
        )

    def step(
        self,
        agent: str,
        name: str,
        timing: Timing,
        calls: Sequence[CallRecord] = (),
        *,
        status: str,
        parent: str = "",
        problem: str | None = None,
        subject: str = "",
    ) -> list[SpanRecord]:
        """Builds the span of an agent's step, with the cost of all its calls in US dollars, and below it a
        span for each call that was sent to a model.
        """
        span = self.span(
            "agent",
            name,
            timing,
            status=status,
            parent=parent,
            problem=problem,
            agent=agent,
            subject=subject,
            cost_usd=fsum(call.cost_usd for call in calls),
        )
        return [span, *(self._call(call, span) for call in calls if call.tries)]

    def _call(self, call: CallRecord, step: SpanRecord) -> SpanRecord:
        return self.span(
            "call",
            call.model,
            Timing(started=call.started, seconds=call.seconds),
            status=call.status,
            parent=step.id,
            problem=call.problem_id,
            agent=call.agent,
            subject=call.id,
            cost_usd=call.cost_usd,
        )

    def judged(
        self, verdict: Verdict, thought: str, *, parent: str, problem: str, subject: str
    ) -> list[SpanRecord]:
        """Builds the span of what the verifier ran or read; none if there was nothing to judge."""
        if verdict.timing is None:
            return []
        return [
            self.span(
                "program",
                thought,
                verdict.timing,
                status=verdict.reason,
                parent=parent,
                problem=problem,
                agent="verifier",
                subject=subject,
            )
        ]


def enclosing(spans: Iterable[SpanRecord]) -> Timing:
    """Returns the time from the earliest start to the latest end of the spans, of which there must be one."""
    every = list(spans)
    started = min(span.started for span in every)
    ended = max(span.started + timedelta(seconds=span.seconds) for span in every)
    return Timing(started=started, seconds=(ended - started).total_seconds())


@dataclass
class RowBuffer:
    """Collects the rows of finished work and stores them in batches, one transaction each.

    `add` stores a batch when it has `pieces` items, or when `LONGEST_WAIT` has passed since the last one.
    """

    store: Store
    pieces: int
    """Most work items in one transaction, which is what a crash can lose."""
    _rows: list[Record] = field(default_factory=list)
    _waiting: int = 0
    _stored: float = field(default_factory=monotonic)

    def add(self, rows: Iterable[Record]) -> None:
        """Adds the rows of one work item."""
        self._rows += rows
        self._waiting += 1
        if self._waiting >= self.pieces or monotonic() - self._stored >= LONGEST_WAIT:
            self.flush()

    def flush(self) -> None:
        rows, self._rows, self._waiting = self._rows, [], 0
        self.store.add(rows)
        self._stored = monotonic()
