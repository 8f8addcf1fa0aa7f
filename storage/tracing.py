"""Queries for the spans of a run: what agents did, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fdd.storage.codec import columns, decode
from fdd.storage.records import SpanKind, SpanRecord

_COLUMNS = ", ".join(columns(SpanRecord))
_ALL = f"""
    (SELECT {_COLUMNS}, 1 AS depth, rowid AS place FROM spans
     UNION ALL SELECT {_COLUMNS}, 0, seq FROM stages)
"""
_ORDER = "ORDER BY started, depth, place"


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
    """Id of a problem."""
    min_seconds: float | None = None
    min_cost: float | None = None
    """In USD."""

    def where(self) -> tuple[str, list[object]]:
        """Returns the SQL condition and the values of its parameters."""
        lists = {
            "round": self.rounds,
            "phase": self.phases,
            "kind": self.kinds,
            "agent": self.agents,
            "status": self.statuses,
        }
        tests: list[tuple[str, object]] = [
            (f"list_contains(?, {name})", list(wanted)) for name, wanted in lists.items() if wanted
        ]
        if self.problem is not None:
            tests.append(("problem_id = ?", self.problem))
        if self.min_seconds is not None:
            tests.append(("seconds >= ?", self.min_seconds))
        if self.min_cost is not None:
            tests.append(("cost_usd >= ?", self.min_cost))
        return " AND ".join(test for test, _ in tests) or "true", [value for _, value in tests]


@dataclass(frozen=True, slots=True)
class SpanPage:
    """One page of the wanted spans."""

    spans: list[SpanRecord]
    """In the order in which they began."""
    total: int
    """Number of wanted spans, on all pages."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a client that follows a run has read: the last event (`seq`) and span (`rowid`) it has seen."""

    event: int = 0
    span: int = -1


def select_spans(
    connection: duckdb.DuckDBPyConnection, wanted: SpanFilter, *, limit: int, offset: int = 0
) -> SpanPage:
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


def select_enclosing(
    connection: duckdb.DuckDBPyConnection, spans: Sequence[SpanRecord]
) -> dict[str, SpanRecord]:
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


def newest(connection: duckdb.DuckDBPyConnection) -> Place:
    """Returns the place from which a client gets the state of every phase, but only steps still to come."""
    (span,) = connection.execute("SELECT coalesce(max(rowid), -1) FROM spans").fetchone() or (-1,)
    return Place(0, span)  # after event 0, every phase has changed


def is_finished(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("SELECT 1 FROM stages WHERE phase = 'report' AND status = 'finished'")
    return found.fetchone() is not None


def select_news(
    connection: duckdb.DuckDBPyConnection, wanted: SpanFilter, since: Place, *, limit: int
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
