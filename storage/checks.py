"""The checks of `verify`: rows that changed, that refer to missing rows, or that teach the wrong thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from fdd.domain import problem_id
from fdd.matching import exact_form
from fdd.storage.codec import columns, exact_number, row_hash
from fdd.storage.records import HASHED_RECORDS, TAUGHT_SPLITS, Record

_RULES = (
    (
        "problems",
        "its parent {} is not in the database",
        "SELECT id, parent FROM problems WHERE parent NOT IN (SELECT id FROM problems)",
    ),
    (
        "problems",
        "has a parent but no operator, or an operator but no parent",
        "SELECT id, '' FROM problems WHERE (parent IS NULL) <> (operator IS NULL)",
    ),
    (
        "problems",
        "its parent {} is of a later round",
        "SELECT child.id, parent.id FROM problems child JOIN problems parent ON child.parent = parent.id "
        "WHERE child.round < parent.round",
    ),
    (
        "rationales",
        "its problem {} is not in the database",
        "SELECT id, problem_id FROM rationales WHERE problem_id NOT IN (SELECT id FROM problems)",
    ),
    (
        "rationales",
        "teaches problem {}, which is kept for evaluation",
        "SELECT rationales.id, problem_id FROM rationales JOIN problems ON problem_id = problems.id "
        "WHERE split NOT IN ('seed', 'generated')",
    ),
    (
        "rationales",
        "is accepted with another value than the answer of its problem {}",
        "SELECT rationales.id, problem_id FROM rationales JOIN problems ON problem_id = problems.id "
        "WHERE reason = 'accepted' AND value IS DISTINCT FROM answer",
    ),
    (
        "attempts",
        "its problem {} is not in the database",
        "SELECT id, problem_id FROM attempts WHERE problem_id NOT IN (SELECT id FROM problems)",
    ),
    (
        "attempts",
        "is accepted with another value than the answer of its problem {}",
        "SELECT attempts.id, problem_id FROM attempts JOIN problems ON problem_id = problems.id "
        "WHERE reason = 'accepted' AND value IS DISTINCT FROM answer",
    ),
    (
        "probes",
        "its problem is not in the database",
        "SELECT problem_id || ' ' || round, '' FROM probes WHERE problem_id NOT IN (SELECT id FROM problems)",
    ),
    (
        "contamination",
        "its problem {} is not in the database",
        "SELECT id, problem_id FROM contamination WHERE problem_id NOT IN (SELECT id FROM problems)",
    ),
    (
        "rejections",
        "its problem is not in the database",
        "SELECT problem_id, '' FROM rejections WHERE problem_id NOT IN (SELECT id FROM problems)",
    ),
    (
        "spans",
        "what it is a part of, {}, is not in the database",
        "SELECT id, parent FROM spans WHERE parent <> 'round-' || round || '/' || phase "
        "AND parent NOT IN (SELECT id FROM spans)",
    ),
    (
        "spans",
        "its call {} is not in the database",
        "SELECT spans.id, subject FROM spans ANTI JOIN calls ON subject = calls.id WHERE kind = 'call' "
        "AND phase <> 'synthesize'",
    ),
    (
        "problems",
        "its call {} is not in the database",
        "SELECT id, call_id FROM problems ANTI JOIN calls ON call_id = calls.id WHERE call_id IS NOT NULL",
    ),
    (
        "rationales",
        "its call {} is not in the database",
        "SELECT id, call_id FROM rationales ANTI JOIN calls ON call_id = calls.id WHERE call_id IS NOT NULL",
    ),
)
"""Table, message, and a query for the faulty rows; it selects the row's id and the value for the `{}`."""

UNHASHED_TABLES = ("events", "migrations")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one row."""

    table: str
    id: str
    what: str


def check(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    findings = [finding for record in HASHED_RECORDS for finding in _changed_rows(connection, record)]
    findings += _wrong_problem_ids(connection)
    findings += _taught_copies(connection)
    for table in UNHASHED_TABLES:
        connection.execute(f"SELECT * FROM {table}").fetchall()  # DuckDB reports damage when it reads
    for table, what, query in _RULES:
        rows = connection.execute(f"{query} ORDER BY ALL").fetchall()
        findings += [Finding(table, name, what.format(other)) for name, other in rows]
    return findings


def _changed_rows(connection: duckdb.DuckDBPyConnection, record: type[Record]) -> Iterator[Finding]:
    names = columns(record)
    rows = connection.execute(f"SELECT {', '.join(names)}, content_hash FROM {record.table} ORDER BY ALL")
    while batch := rows.fetchmany(10_000):
        for *values, stored in batch:
            if row_hash(record, values) != stored:
                name = " ".join(str(values[names.index(part)]) for part in record.key)
                yield Finding(record.table, name, "its content hash does not match its content")


def _wrong_problem_ids(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    rows = connection.execute("SELECT id, question, answer FROM problems ORDER BY id").fetchall()
    for name, question, answer in rows:
        try:
            exact = exact_number(answer)
        except (ValueError, ZeroDivisionError):
            yield Finding("problems", name, "its answer is no number")
            continue
        if name != problem_id(question, exact):
            yield Finding("problems", name, "its id does not follow from its question and answer")


def _taught_copies(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    rows = connection.execute("SELECT id, question, split FROM problems ORDER BY id").fetchall()
    kept = {exact_form(question): name for name, question, split in rows if split not in TAUGHT_SPLITS}
    for name, question, split in rows:
        other = kept.get(exact_form(question)) if split in TAUGHT_SPLITS else None
        if other:
            what = f"is taught, and a copy of problem {other}, which is kept for evaluation"
            yield Finding("problems", name, what)
