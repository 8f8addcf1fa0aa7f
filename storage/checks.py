"""The checks of `verify`: rows that changed, that refer to missing rows, or that teach the wrong thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fdd.domain import problem_id
from fdd.matching import exact_form
from fdd.storage.codec import columns, exact_number, row_hash
from fdd.storage.database import Connection
from fdd.storage.records import HASHED_RECORDS, TAUGHT_SPLITS, Record

_REFERENCES = (
    ("problems", "id", "its parent {}", "parent", "problems"),
    ("rationales", "id", "its problem {}", "problem_id", "problems"),
    ("attempts", "id", "its problem {}", "problem_id", "problems"),
    ("probes", "problem_id || ' ' || round", "its problem", "problem_id", "problems"),
    ("contamination", "id", "its problem {}", "problem_id", "problems"),
    ("rejections", "problem_id", "its problem", "problem_id", "problems"),
    ("problems", "id", "its call {}", "call_id", "calls"),
    ("rationales", "id", "its call {}", "call_id", "calls"),
)
"""Table, id of the row, what it refers to, by which column, and the table that must have that id."""
_RULES = (
    *(
        (
            table,
            f"{what} is not in the database",
            f"SELECT {name}, {column} FROM {table} "
            f"ANTI JOIN {other} AS target ON {table}.{column} = target.id WHERE {column} IS NOT NULL",
        )
        for table, name, what, column, other in _REFERENCES
    ),
    *(
        (
            table,
            "is accepted with another value than the answer of its problem {}",
            f"SELECT {table}.id, problem_id FROM {table} JOIN problems ON problem_id = problems.id "
            "WHERE reason = 'accepted' AND value IS DISTINCT FROM answer",
        )
        for table in ("rationales", "attempts")
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
        "teaches problem {}, which is kept for evaluation",
        "SELECT rationales.id, problem_id FROM rationales JOIN problems ON problem_id = problems.id "
        "WHERE split NOT IN ('seed', 'generated')",
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
)
"""Table, message, and a query for the faulty rows; it selects the row's id and the value for the `{}`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one row."""

    table: str
    id: str
    what: str


def check(connection: Connection) -> list[Finding]:
    """Returns the faults found in the database; empty if there are none."""
    findings = [finding for record in HASHED_RECORDS for finding in _changed_rows(connection, record)]
    findings += _wrong_problems(connection)
    for table in ("events", "migrations"):  # they have no content hash
        connection.execute(f"SELECT * FROM {table}").fetchall()  # DuckDB reports damage when it reads
    for table, what, query in _RULES:
        rows = connection.execute(f"{query} ORDER BY ALL").fetchall()
        findings += [Finding(table, name, what.format(other)) for name, other in rows]
    return findings


def _changed_rows(connection: Connection, record: type[Record]) -> Iterator[Finding]:
    names = columns(record)
    rows = connection.execute(f"SELECT {', '.join(names)}, content_hash FROM {record.table} ORDER BY ALL")
    while batch := rows.fetchmany(10_000):
        for *values, stored in batch:
            if row_hash(record, values) != stored:
                name = " ".join(str(values[names.index(part)]) for part in record.key)
                yield Finding(record.table, name, "its content hash does not match its content")


def _wrong_problems(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute("SELECT id, question, answer, split FROM problems ORDER BY id").fetchall()
    kept = {exact_form(question): name for name, question, _, split in rows if split not in TAUGHT_SPLITS}
    for name, question, answer, split in rows:
        try:
            if name != problem_id(question, exact_number(answer)):
                yield Finding("problems", name, "its id does not follow from its question and answer")
        except (ValueError, ZeroDivisionError):
            yield Finding("problems", name, "its answer is no number")
        if split in TAUGHT_SPLITS and (other := kept.get(exact_form(question))):
            what = f"is taught, and a copy of problem {other}, which is kept for evaluation"
            yield Finding("problems", name, what)
