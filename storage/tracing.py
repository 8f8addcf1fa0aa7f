"""Queries for the spans of a run: what agents did, step by step, and the calls behind the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from fdd.storage.codec import columns, decode, select
from fdd.storage.database import Connection
from fdd.storage.records import CallRecord, SpanKind, SpanRecord, TranscriptRecord

_COLUMNS = ", ".join(columns(SpanRecord))
_ALL = f"""
    (SELECT {_COLUMNS}, 1 AS depth, rowid AS place FROM spans
     UNION ALL SELECT {_COLUMNS}, 0, seq FROM stages)
"""
_ORDER = "ORDER BY started, depth, place"
_LAST_SIGNS = f"""
    WITH signs AS (
        SELECT round, phase, time AS seen FROM events
        UNION ALL
        SELECT round, phase, max(started + to_microseconds(CAST(1e6 * seconds AS BIGINT)))
        FROM spans GROUP BY round, phase
    )
    SELECT {", ".join(f"stages.{name}" for name in columns(SpanRecord))}, stages.seq, max(seen)
    FROM stages JOIN signs
    ON (kind = 'run' OR signs.round = stages.round) AND (kind <> 'phase' OR signs.phase = stages.phase)
    GROUP BY ALL ORDER BY stages.seq, stages.kind DESC
"""
"""The stages with the time of their last event or end of a step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanFilter:
    """Which spans are wanted; None and empty sequences do not restrict."""

    rounds: Sequence[int] = ()
    phases: Sequence[str] = ()
    kinds: Sequence[SpanKind] = ()
    agents: Sequence[str] = ()
    statuses: Sequence[str] = ()
    """Verdicts, statuses of calls, `running`, ..."""
    problem: str | None = None
    min_seconds: float | None = None
    min_cost: float | None = None
    """In USD."""

    def where(self) -> tuple[str, list[object]]:
        """Returns the SQL condition and the values of its parameters."""
        tests = {
            "list_contains(?, round)": list(self.rounds) or None,
            "list_contains(?, phase)": list(self.phases) or None,
            "list_contains(?, kind)": list(self.kinds) or None,
            "list_contains(?, agent)": list(self.agents) or None,
            "list_contains(?, status)": list(self.statuses) or None,
            "problem_id = ?": self.problem,
            "seconds >= ?": self.min_seconds,
            "cost_usd >= ?": self.min_cost,
        }
        given = {test: value for test, value in tests.items() if value is not None}
        return " AND ".join(given) or "true", list(given.values())


@dataclass(frozen=True, slots=True)
class SpanPage:
    """Some of the wanted spans, in the order in which they began, and the number of all of them."""

    spans: list[SpanRecord]
    total: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a client that follows a run has read: the last event (`seq`) and span (`rowid`) it has seen."""

    event: int = 0
    span: int = -1


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call with its transcript, which is None if no model was asked."""

    call: CallRecord
    transcript: TranscriptRecord | None


def select_spans(
    connection: Connection, wanted: SpanFilter, *, limit: int = 1_000, offset: int = 0
) -> SpanPage:
    """Returns at most `limit` spans, in the order in which they began."""
    where, values = wanted.where()
    where += " AND started IS NOT NULL"  # the run itself, before its first phase has begun
    (total,) = connection.execute(f"SELECT count(*) FROM {_ALL} WHERE {where}", values).fetchone() or (0,)
    # Sorting ids only halves the time of a late page among a million spans.
    rows = connection.execute(
        f"""
        WITH page AS (
            SELECT id FROM {_ALL} WHERE {where} {_ORDER} LIMIT {limit:d} OFFSET {offset:d}
        )
        SELECT {_COLUMNS} FROM {_ALL} WHERE id IN (SELECT id FROM page) {_ORDER}
        """,
        values,
    ).fetchall()
    return SpanPage([decode(SpanRecord, row) for row in rows], total)


def select_enclosing(connection: Connection, spans: Sequence[SpanRecord]) -> dict[str, SpanRecord]:
    """Returns every span that contains one of these, directly or indirectly, by id."""
    found: dict[str, SpanRecord] = {}
    missing = {span.parent for span in spans} - {""}
    while missing:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM {_ALL} WHERE list_contains(?, id)", [sorted(missing)]
        ).fetchall()
        above = [decode(SpanRecord, row) for row in rows]
        found |= {span.id: span for span in above}
        missing = {span.parent for span in above} - found.keys() - {""}
    return found


def newest_place(connection: Connection) -> Place:
    """Returns the place from which a client gets the state of every phase, but only steps still to come."""
    (span,) = connection.execute("SELECT coalesce(max(rowid), -1) FROM spans").fetchone() or (-1,)
    return Place(0, span)  # after event 0, every phase has changed


def is_finished(connection: Connection) -> bool:
    found = connection.execute("SELECT 1 FROM stages WHERE phase = 'report' AND status = 'finished'")
    return found.fetchone() is not None


def select_news(
    connection: Connection, wanted: SpanFilter, since: Place, *, limit: int = 1_000
) -> tuple[list[SpanRecord], Place]:
    """Returns what was stored after `since`, and the place to go on from.

    First come the phases that changed, then at most `limit` steps in the order in which they began.
    """
    where, values = wanted.where()
    (event,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone() or (0,)
    phases = connection.execute(
        f"SELECT {_COLUMNS} FROM stages WHERE kind = 'phase' AND (round, phase) IN "
        f"(SELECT (round, phase) FROM events WHERE seq > ? AND seq <= ?) AND {where} ORDER BY seq",
        [since.event, event, *values],
    ).fetchall()
    steps = connection.execute(
        f"SELECT {_COLUMNS}, rowid FROM spans WHERE rowid > ? AND {where} ORDER BY rowid LIMIT {limit:d}",
        [since.span, *values],
    ).fetchall()
    (newest,) = connection.execute("SELECT coalesce(max(rowid), -1) FROM spans").fetchone() or (-1,)
    # If the page is not full, spans that the filter left out need not be read again.
    last = steps[-1][-1] if len(steps) == limit else newest
    found = [decode(SpanRecord, row[:-1]) for row in steps]
    found.sort(key=lambda span: (span.started, span.id))  # DuckDB stores the rows of one INSERT in any order
    return [*(decode(SpanRecord, row) for row in phases), *found], Place(event, last)


def select_phases(connection: Connection) -> list[SpanRecord]:
    """Returns the phases in the order in which they first began; `seconds` leaves out pauses."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM stages WHERE kind = 'phase' ORDER BY seq")
    return [decode(SpanRecord, row) for row in found.fetchall()]


def select_stages(connection: Connection) -> list[SpanRecord]:
    """Returns the run, its rounds and phases; `seconds` lasts to the last event or step, with pauses."""
    rows = connection.execute(_LAST_SIGNS).fetchall()
    stages = [(decode(SpanRecord, row[:-2]), row[-1].replace(tzinfo=UTC)) for row in rows]
    return [replace(stage, seconds=(seen - stage.started).total_seconds()) for stage, seen in stages]


def seconds_worked(connection: Connection) -> float:
    """Returns the seconds of all phases that ended, without the pauses between them."""
    (seconds,) = connection.execute("SELECT seconds FROM stages WHERE kind = 'run'").fetchone() or (0.0,)
    return float(seconds)


def select_exchanges(connection: Connection, call_ids: Sequence[str]) -> dict[str, Exchange]:
    """Returns the calls with these ids and their transcripts, by id; leaves out ids that are not stored."""
    wanted = list(call_ids)
    calls = select(connection, CallRecord, "WHERE id IN (SELECT unnest(?))", wanted)
    said = select(connection, TranscriptRecord, "WHERE call_id IN (SELECT unnest(?))", wanted)
    transcripts = {transcript.call_id: transcript for transcript in said}
    return {call.id: Exchange(call, transcripts.get(call.id)) for call in calls}
