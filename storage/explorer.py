"""Queries for the pages of `serve`: problems by text and filters, evaluation sets, and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import duckdb

from fdd.storage.codec import exact_number
from fdd.storage.records import (
    CallRecord,
    ProblemRecord,
    RationaleRecord,
    TranscriptRecord,
    evaluation_split,
)
from fdd.storage.rows import select

Sort = Literal["id", "round", "rate", "template", "length"]

ID_PREFIX = "p-"
"""A search for a single word with this prefix looks for an id."""
MAX_WORDS = 8
"""Words of a search that are used; further words are ignored."""
_SORTS: Mapping[Sort, str] = MappingProxyType(
    {"id": "id", "round": "round", "rate": "mean", "template": "template", "length": "length(question)"}
)
_SPAN_FACETS = ("round", "phase", "agent", "status")
_LATEST_PROBES = """
    (SELECT problem_id, arg_max(band, round) AS band, arg_max(mean, round) AS mean
     FROM probes GROUP BY problem_id)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemSearch:
    """Which problems to show, and in which order; None and empty text do not restrict."""

    text: str = ""
    """Words that the question contains, in any case, or the beginning of an id."""
    split: str | None = None
    round: int | None = None
    operator: str | None = None
    band: str | None = None
    """Band by the latest probe."""
    reason: str | None = None
    """Verdict on its rationale in at least one format."""
    template: str | None = None
    sort: Sort = "id"
    descending: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemRow:
    """A problem in a list."""

    id: str
    question: str
    """The first 400 characters."""
    answer: str
    split: str
    round: int
    operator: str | None
    template: str
    band: str | None
    rate: float | None
    """Posterior mean of the solve rate by the latest probe; None if it was never probed."""
    reasons: tuple[str, ...]
    """The verdict in each format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemPage:
    """One page of the problems found."""

    total: int
    """Number of problems found, on all pages."""
    rows: Sequence[ProblemRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemFacets:
    """The values that problems can be filtered by, sorted."""

    splits: Sequence[str]
    rounds: Sequence[int]
    operators: Sequence[str]
    bands: Sequence[str]
    reasons: Sequence[str]
    templates: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanFacets:
    """The values that spans can be filtered by, sorted."""

    rounds: Sequence[int]
    phases: Sequence[str]
    agents: Sequence[str]
    statuses: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDetails:
    """A call with its input and its results."""

    call: CallRecord
    transcript: TranscriptRecord | None
    """None if no model was asked."""
    problem: ProblemRecord | None
    """The problem that the call was about: for new problems, their parent."""
    rationales: Sequence[RationaleRecord]
    problems: Sequence[ProblemRecord]
    """The problems that the call wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A problem of an evaluation set."""

    id: str
    question: str
    """The first 400 characters."""
    answer: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemAnswer:
    """One attempt at an item."""

    problem_id: str
    round: int
    thought: str
    sample: int
    value: Fraction | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationItems:
    """An evaluation set with all students' answers."""

    items: Sequence[Item]
    answers: Sequence[ItemAnswer]


def search_problems(connection: duckdb.DuckDBPyConnection, search: ProblemSearch) -> ProblemPage:
    conditions = list(_conditions(search))
    where = " AND ".join(condition for condition, _ in conditions) or "true"
    values = [value for _, value in conditions]
    source = "problems"
    if search.band is not None or search.sort == "rate":
        source += f" LEFT JOIN {_LATEST_PROBES} AS probed ON problem_id = id"
    (total,) = connection.execute(f"SELECT count(*) FROM {source} WHERE {where}", values).fetchone() or (0,)
    direction = "DESC" if search.descending else "ASC"
    rows = connection.execute(
        f"""
        SELECT id, left(question, 400), answer, split, round, operator, template
        FROM {source} WHERE {where}
        ORDER BY {_SORTS[search.sort]} {direction} NULLS LAST, id LIMIT ? OFFSET ?
        """,
        [*values, search.limit, search.offset],
    ).fetchall()
    ids = [row[0] for row in rows]
    probes, reasons = _probes(connection, ids), _reasons(connection, ids)
    found = [
        ProblemRow(
            id=row[0],
            question=row[1],
            answer=row[2],
            split=row[3],
            round=row[4],
            operator=row[5],
            template=row[6],
            band=probes.get(row[0], (None, None))[0],
            rate=probes.get(row[0], (None, None))[1],
            reasons=reasons.get(row[0], ()),
        )
        for row in rows
    ]
    return ProblemPage(total=total, rows=found)


def problem_facets(connection: duckdb.DuckDBPyConnection) -> ProblemFacets:
    def values(column: str, table: str) -> list[str]:
        query = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"
        return [value for (value,) in connection.execute(query).fetchall()]

    rounds = connection.execute("SELECT DISTINCT round FROM problems ORDER BY 1").fetchall()
    return ProblemFacets(
        splits=values("split", "problems"),
        rounds=[number for (number,) in rounds],
        operators=values("operator", "problems"),
        bands=values("band", "probes"),
        reasons=values("reason", "rationales"),
        templates=[name for name in values("template", "problems") if name],
    )


def evaluation_items(connection: duckdb.DuckDBPyConnection, name: str) -> EvaluationItems:
    items = connection.execute(
        "SELECT id, left(question, 400), answer FROM problems WHERE split = ? ORDER BY id",
        [evaluation_split(name)],
    ).fetchall()
    answers = connection.execute(
        "SELECT problem_id, round, thought, sample, value FROM attempts "
        "WHERE evaluation = ? AND purpose IN ('baseline', 'evaluation') ORDER BY ALL",
        [name],
    ).fetchall()
    return EvaluationItems(
        items=[
            Item(id=name, question=question, answer=exact_number(answer)) for name, question, answer in items
        ],
        answers=[
            ItemAnswer(
                problem_id=problem_id,
                round=round,
                thought=thought,
                sample=sample,
                value=None if value is None else exact_number(value),
            )
            for problem_id, round, thought, sample, value in answers
        ],
    )


def _conditions(search: ProblemSearch) -> Iterator[tuple[str, object]]:
    """Yields SQL conditions, each with the value of its one parameter."""
    if search.text.startswith(ID_PREFIX) and len(search.text.split()) == 1:
        yield "starts_with(id, ?)", search.text.strip()
    else:
        for word in search.text.split()[:MAX_WORDS]:
            yield "contains(lower(question), lower(?))", word
    for column in ("split", "round", "operator", "band", "template"):
        value = getattr(search, column)
        if value is not None:
            yield f"{column} = ?", value
    if search.reason is not None:
        yield "id IN (SELECT problem_id FROM outcomes WHERE reason = ?)", search.reason


def _probes(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Returns each problem's band and solve rate by the latest probe."""
    rows = connection.execute(
        "SELECT problem_id, arg_max(band, round), arg_max(mean, round) FROM probes "
        f"WHERE problem_id IN {_holes(ids)} GROUP BY problem_id",
        list(ids),
    ).fetchall()
    return {problem_id: (band, mean) for problem_id, band, mean in rows}


def _reasons(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "SELECT problem_id, list(reason ORDER BY thought) FROM outcomes "
        f"WHERE problem_id IN {_holes(ids)} GROUP BY problem_id",
        list(ids),
    ).fetchall()
    return {problem_id: tuple(reasons) for problem_id, reasons in rows}


def _holes(values: Sequence[str]) -> str:
    """Returns an SQL list of parameters; DuckDB finds a few rows faster by these than by one list value."""
    return f"({', '.join('?' for _ in values) or 'NULL'})"


def select_exchange(connection: duckdb.DuckDBPyConnection, call_id: str) -> CallDetails | None:
    calls = select(connection, CallRecord, "WHERE id = ?", call_id)
    if not calls:
        return None
    [call] = calls
    transcripts = select(connection, TranscriptRecord, "WHERE call_id = ?", call_id)
    problems = select(connection, ProblemRecord, "WHERE id = ?", call.problem_id)
    return CallDetails(
        call=call,
        transcript=transcripts[0] if transcripts else None,
        problem=problems[0] if problems else None,
        rationales=select(connection, RationaleRecord, "WHERE call_id = ? ORDER BY id", call_id),
        problems=select(connection, ProblemRecord, "WHERE call_id = ? ORDER BY id", call_id),
    )


def span_facets(connection: duckdb.DuckDBPyConnection) -> SpanFacets:
    columns = ", ".join(f"list(DISTINCT {name} ORDER BY {name})" for name in _SPAN_FACETS)
    row = connection.execute(
        f"SELECT {columns} FROM (SELECT {', '.join(_SPAN_FACETS)} FROM spans "
        f"UNION ALL SELECT {', '.join(_SPAN_FACETS)} FROM stages)"
    ).fetchone()
    rounds, *texts = row or ([], [], [], [])
    phases, agents, statuses = ([text for text in values if text] for values in texts)
    return SpanFacets(
        rounds=[round for round in rounds if round >= 0], phases=phases, agents=agents, statuses=statuses
    )
