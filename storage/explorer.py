"""Queries for the pages of `serve`: problems by text and filters, evaluation sets, and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from fdd.domain import UNTAUGHT
from fdd.storage.codec import exact_number, select
from fdd.storage.database import Connection
from fdd.storage.records import (
    EventRecord,
    ProblemRecord,
    RationaleRecord,
    RunRecord,
    SpanRecord,
    evaluation_split,
)
from fdd.storage.summary import Summary, summarize
from fdd.storage.tracing import Exchange, select_exchanges, select_phases

Facets = Mapping[str, Sequence[str | int]]
"""The values that rows can be filtered by, sorted, by the plural of the column's name."""
Sort = Literal["id", "round", "rate", "template", "length"]

_SORTS: Mapping[Sort, str] = MappingProxyType(
    {"id": "id", "round": "round", "rate": "mean", "template": "template", "length": "length(question)"}
)
_LATEST_PROBES = """
    (SELECT problem_id, arg_max(band, round) AS band, arg_max(mean, round) AS mean
     FROM probes GROUP BY problem_id)
"""


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem in a list, with the first 400 characters of its question.

    `band` and `rate`, the posterior mean of the solve rate, are those of the latest probe; None without one.
    `reasons` has the verdict in each format.
    """

    id: str
    question: str
    answer: str
    split: str
    round: int
    operator: str | None
    template: str
    band: str | None
    rate: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDetails(Exchange):
    """A call with its input and its results."""

    problem: ProblemRecord | None
    """The problem that the call was about: for new problems, their parent."""
    rationales: Sequence[RationaleRecord]
    problems: Sequence[ProblemRecord]
    """The problems that the call wrote."""


@dataclass(frozen=True, slots=True)
class Item:
    """A problem of an evaluation set, with the first 400 characters of its question."""

    id: str
    question: str
    answer: Fraction


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """One attempt at an item."""

    problem_id: str
    round: int
    thought: str
    sample: int
    value: Fraction | None


def select_overview(
    connection: Connection, events: int
) -> tuple[RunRecord, Summary, list[SpanRecord], list[EventRecord]]:
    """Returns the run, its summary, its phases, and the latest `events`, the last one first."""
    summary = summarize(connection)
    [run] = select(connection, RunRecord)
    latest = select(connection, EventRecord, "ORDER BY seq DESC LIMIT ?", events)
    return run, summary, select_phases(connection), latest


def search_problems(
    connection: Connection,
    text: str = "",
    filters: Mapping[str, object] = MappingProxyType({}),
    *,
    sort: Sort = "id",
    descending: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> tuple[int, list[ProblemRow]]:
    """Returns the number of problems found, and those of one page.

    `text` has words that the question contains, in any case, or the beginning of an id. `filters` has values
    of columns, such as `{"split": "dev"}`; its `reason` is the verdict on a rationale in at least one format.
    """
    conditions = list(_conditions(text, filters))
    where = " AND ".join(condition for condition, _ in conditions) or "true"
    values = [value for _, value in conditions]
    source = "problems"
    if "band" in filters or sort == "rate":
        source += f" LEFT JOIN {_LATEST_PROBES} AS probed ON problem_id = id"
    (total,) = connection.execute(f"SELECT count(*) FROM {source} WHERE {where}", values).fetchone() or (0,)
    rows = connection.execute(
        f"""
        SELECT id, left(question, 400), answer, split, round, operator, template
        FROM {source} WHERE {where}
        ORDER BY {_SORTS[sort]} {"DESC" if descending else "ASC"} NULLS LAST, id LIMIT ? OFFSET ?
        """,
        [*values, limit, offset],
    ).fetchall()
    ids = [row[0] for row in rows]
    probes = _by_problem(connection, "arg_max(band, round), arg_max(mean, round)", "probes", ids)
    reasons = _by_problem(connection, "list(reason ORDER BY thought)", "outcomes", ids)
    return total, [
        ProblemRow(*row, *probes.get(row[0], (None, None)), *reasons.get(row[0], ((),))) for row in rows
    ]


def _by_problem(
    connection: Connection, values: str, table: str, ids: Sequence[str]
) -> dict[str, tuple[object, ...]]:
    """Returns aggregates over the rows of each of these problems."""
    # DuckDB finds a few rows faster by single parameters than by one list.
    holes = ", ".join("?" for _ in ids) or "NULL"
    query = f"SELECT problem_id, {values} FROM {table} WHERE problem_id IN ({holes}) GROUP BY problem_id"
    return {name: tuple(found) for name, *found in connection.execute(query, list(ids)).fetchall()}


def problem_facets(connection: Connection) -> Facets:
    columns = {
        **dict.fromkeys(("split", "round", "operator", "template"), "problems"),
        "band": "probes",
        "reason": "rationales",
    }
    return {f"{column}s": _distinct(connection, column, table) for column, table in columns.items()}


def span_facets(connection: Connection) -> Facets:
    columns = {"round": "rounds", "phase": "phases", "agent": "agents", "status": "statuses"}
    steps = f"(SELECT {', '.join(columns)} FROM spans UNION ALL SELECT {', '.join(columns)} FROM stages)"
    facets = {plural: _distinct(connection, column, steps) for column, plural in columns.items()}
    return facets | {"rounds": [round for round in facets["rounds"] if round != UNTAUGHT]}


def _distinct(connection: Connection, column: str, table: str) -> list[str | int]:
    """Returns the values of the column, sorted, without NULL and empty text."""
    query = f"SELECT DISTINCT {column} FROM {table} WHERE {column}::VARCHAR <> '' ORDER BY 1"
    return [value for (value,) in connection.execute(query).fetchall()]


def evaluation_items(connection: Connection, name: str) -> tuple[list[Item], list[ItemAnswer]]:
    """Returns the problems of an evaluation set, and all students' answers to them."""
    items = connection.execute(
        "SELECT id, left(question, 400), answer FROM problems WHERE split = ? ORDER BY id",
        [evaluation_split(name)],
    ).fetchall()
    answers = connection.execute(
        "SELECT problem_id, round, thought, sample, value FROM attempts "
        "WHERE evaluation = ? AND purpose IN ('baseline', 'evaluation') ORDER BY ALL",
        [name],
    ).fetchall()
    return (
        [Item(key, question, exact_number(answer)) for key, question, answer in items],
        [
            ItemAnswer(problem_id, round, thought, sample, value and exact_number(value))
            for problem_id, round, thought, sample, value in answers
        ],
    )


def _conditions(text: str, filters: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yields SQL conditions, each with the value of its one parameter."""
    if text.startswith("p-") and len(text.split()) == 1:
        yield "starts_with(id, ?)", text.strip()
    else:
        for word in text.split():
            yield "contains(lower(question), lower(?))", word
    for column, value in filters.items():
        among = "id IN (SELECT problem_id FROM outcomes WHERE reason = ?)"
        yield among if column == "reason" else f"{column} = ?", value


def select_call(connection: Connection, call_id: str) -> CallDetails | None:
    """Returns a call with its input and its results; None if there is no such call."""
    exchange = select_exchanges(connection, [call_id]).get(call_id)
    if exchange is None:
        return None
    problems = select(connection, ProblemRecord, "WHERE id = ?", exchange.call.problem_id)
    return CallDetails(
        call=exchange.call,
        transcript=exchange.transcript,
        problem=problems[0] if problems else None,
        rationales=select(connection, RationaleRecord, "WHERE call_id = ? ORDER BY id", call_id),
        problems=select(connection, ProblemRecord, "WHERE call_id = ? ORDER BY id", call_id),
    )
