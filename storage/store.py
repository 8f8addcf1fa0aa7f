"""The store: everything that a run did, in one DuckDB file whose rows are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import duckdb

from fdd.domain import Usage
from fdd.errors import StoreError
from fdd.storage.checks import Finding, check
from fdd.storage.codec import R, Value, columns, encode, row_hash, select
from fdd.storage.database import LOCK_PATIENCE, Database, log_of
from fdd.storage.records import (
    TAUGHT_SPLITS,
    AttemptRecord,
    CallRecord,
    DecisionRecord,
    EvaluationRecord,
    EventRecord,
    Json,
    ProbeRecord,
    ProblemRecord,
    Purpose,
    RationaleRecord,
    Record,
    RejectionRecord,
    RoundRecord,
    RunRecord,
)
from fdd.storage.summary import Summary, summarize

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = 5_000
"""Rows in one INSERT."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One example of a training set: a problem and an accepted rationale for it."""

    problem: ProblemRecord
    rationale: RationaleRecord


class Store:
    """Typed access to a run's database. Threads may share it; other processes may read between two calls.

    Every method is one transaction. If it raises `StoreError`, nothing has changed.

        store = Store.create(folder / "fdd.duckdb", RunRecord(id=..., settings=..., versions=..., seed=0))
        store.add(ProblemRecord.of(problem, split="seed") for problem in seeds)
        todo = store.pending(round=0)
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def create(cls, path: Path, run: RunRecord, *, patience: float = LOCK_PATIENCE) -> Self:
        """Creates a database with one run; the file gets its name only when it is complete."""
        if path.exists():
            raise StoreError(f"the database {path} exists already; resume that run or choose another folder")
        draft = path.with_name(f"{path.name}.new")
        for path_left in (draft, log_of(draft)):  # by a process that was killed before the last line
            path_left.unlink(missing_ok=True)
        database = Database(draft, patience=patience)
        database.create()
        cls(database).add([run])
        database.settle()
        draft.rename(path)
        return cls(Database(path, patience=patience))

    @classmethod
    def open(cls, path: Path, *, patience: float = LOCK_PATIENCE) -> Self:
        if not path.is_file():
            raise StoreError(f"there is no database {path}; is this the folder of a run?")
        database = Database(path, patience=patience)
        applied = database.applied()
        if not applied:
            raise StoreError(f"the database {path} holds no run: it was cut off, or another program made it")
        database.migrate(applied)
        store = cls(database)
        store.run()  # raises if the run's row is missing
        return store

    @property
    def path(self) -> Path:
        return self._database.path

    def version(self) -> str:
        """Returns a text that differs once something may have been stored; does not open the database."""
        found = self.path.stat()
        return f"{found.st_mtime_ns:x}-{found.st_size:x}"

    # Writing

    def add(self, records: Iterable[Record]) -> int:
        """Adds records of any tables in one transaction; returns how many were new.

        A record whose key is already stored is ignored. If its content differs, raises `StoreError` and adds
        nothing at all.
        """
        tables: dict[type[Record], list[Record]] = {}
        for record in records:
            tables.setdefault(type(record), []).append(record)
        if not tables:
            return 0
        with self._database.writing() as connection:
            return sum(
                _insert(connection, kind, rows[start : start + _BATCH])
                for kind, rows in tables.items()
                for start in range(0, len(rows), _BATCH)
            )

    def log(self, *, round: int, phase: str, kind: str, detail: Mapping[str, Json] | None = None) -> None:
        """Appends an event."""
        now = datetime.now(UTC).replace(tzinfo=None)
        text = json.dumps(detail or {}, sort_keys=True, ensure_ascii=False)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO events SELECT coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ? FROM events",
                [now, round, phase, kind, text],
            )

    # Reading. Every list has a fixed order

    def read(
        self,
        query: Callable[Concatenate[duckdb.DuckDBPyConnection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Returns the result of a query function of this package, in one transaction.

        life = store.read(select_life, problem_id)
        """
        with self._database.reading() as connection:
            return query(connection, *args, **kwargs)

    def run(self) -> RunRecord:
        for run in self._select(RunRecord):
            return run
        raise StoreError(f"the database {self.path} holds no run: its row was removed")

    def problems(
        self, *, splits: Collection[str] | None = None, round: int | None = None
    ) -> list[ProblemRecord]:
        """Returns the problems of these splits and of this round, by id; None does not restrict."""
        return self._select(
            ProblemRecord,
            "WHERE ($1 IS NULL OR list_contains($1, split)) AND ($2 IS NULL OR round = $2) ORDER BY id",
            None if splits is None else sorted(splits),
            round,
        )

    def pending(self, *, round: int) -> list[ProblemRecord]:
        """Returns the problems to be taught in this round that have no rationale yet in any format."""
        return self._select(
            ProblemRecord,
            """
            WHERE round = $1 AND list_contains($2, split) AND id NOT IN (SELECT problem_id FROM rationales)
            ORDER BY id
            """,
            round,
            list(TAUGHT_SPLITS),
        )

    def rationales(self, *, problem_id: str | None = None, round: int | None = None) -> list[RationaleRecord]:
        return self._select(
            RationaleRecord,
            "WHERE ($1 IS NULL OR problem_id = $1) AND ($2 IS NULL OR round = $2) ORDER BY id",
            problem_id,
            round,
        )

    def training_set(self, *, round: int, thoughts: Collection[str] | None = None) -> list[Lesson]:
        """Returns what the view `taught` has for this round, with the problems, by id of the rationale.

        Leaves out formats that are not in `thoughts`, if that is given. Several samples in one format are
        several lessons.
        """
        with self._database.reading() as connection:
            rationales = select(
                connection,
                RationaleRecord,
                "WHERE id IN (SELECT rationale_id FROM taught WHERE $1 BETWEEN first_round AND last_round) "
                "AND ($2 IS NULL OR list_contains($2, thought)) ORDER BY id",
                round,
                None if thoughts is None else list(thoughts),
            )
            problems = select(
                connection, ProblemRecord, "WHERE list_contains($1, split)", list(TAUGHT_SPLITS)
            )
        by_id = {problem.id: problem for problem in problems}
        return [Lesson(by_id[rationale.problem_id], rationale) for rationale in rationales]

    def teachable(self, *, round: int) -> list[ProblemRecord]:
        """Returns the problems of this round and of earlier kept ones that nobody rejected, by id."""
        return self._select(
            ProblemRecord,
            """
            WHERE list_contains($2, split) AND round <= $1 AND round NOT IN (SELECT round FROM undone)
            AND id NOT IN (SELECT problem_id FROM rejections WHERE round <= $1) ORDER BY id
            """,
            round,
            list(TAUGHT_SPLITS),
        )

    def attempts(
        self, *, round: int, purpose: Purpose | None = None, evaluation: str | None = None
    ) -> list[AttemptRecord]:
        """Returns the answers recorded for this round, by problem, format and sample."""
        return self._select(
            AttemptRecord,
            """
            WHERE round = $1 AND ($2 IS NULL OR purpose = $2) AND ($3 IS NULL OR evaluation = $3)
            ORDER BY problem_id, thought, sample, id
            """,
            round,
            purpose,
            evaluation,
        )

    def probes(self, *, round: int | None = None, problem_id: str | None = None) -> list[ProbeRecord]:
        """Returns the probes of this round and of this problem; None does not restrict."""
        return self._select(
            ProbeRecord,
            "WHERE ($1 IS NULL OR round = $1) AND ($2 IS NULL OR problem_id = $2) ORDER BY problem_id, round",
            round,
            problem_id,
        )

    def rounds(self) -> list[RoundRecord]:
        return self._select(RoundRecord, "ORDER BY round")

    def kept(self) -> list[RoundRecord]:
        """Returns the rounds whose student was evaluated and that were not undone."""
        return self._select(
            RoundRecord,
            "WHERE round IN (SELECT round FROM evaluations) "
            "AND round NOT IN (SELECT round FROM undone) ORDER BY round",
        )

    def decisions(self) -> list[DecisionRecord]:
        return self._select(DecisionRecord, "ORDER BY round")

    def rejections(self) -> list[RejectionRecord]:
        """Returns the problems that a person does not want taught, by id."""
        return self._select(RejectionRecord, "ORDER BY problem_id")

    def evaluations(self, *, round: int | None = None) -> list[EvaluationRecord]:
        return self._select(EvaluationRecord, "WHERE $1 IS NULL OR round = $1 ORDER BY round, name", round)

    def calls(self) -> list[CallRecord]:
        return self._select(CallRecord, "ORDER BY id")

    def paid(self) -> Usage:
        """Returns what this run paid for replies; a reply that was used several times counts once."""
        replies = {
            (call.model, call.prompt_hash, call.settings_hash, call.problem_id, call.seed, call.sample): call
            for call in self.calls()
            if call.paid and call.status != "failed"
        }
        return Usage(
            calls=len(replies),
            prompt_tokens=sum(call.prompt_tokens for call in replies.values()),
            completion_tokens=sum(call.completion_tokens for call in replies.values()),
            cost_usd=fsum(call.cost_usd for call in replies.values()),
        )

    def events(self) -> list[EventRecord]:
        return self._select(EventRecord, "ORDER BY seq")

    def summary(self) -> Summary:
        """Returns the run's summary, to which `report --json` adds `by_template` and `visible_loss`."""
        return self.read(summarize)

    def verify(self) -> list[Finding]:
        """Returns the faults found in the database; empty if there are none."""
        return self.read(check)

    def _select(self, record: type[R], where: str = "", *values: object) -> list[R]:
        return self.read(select, record, where, *values)


def _insert(connection: duckdb.DuckDBPyConnection, kind: type[Record], records: Sequence[Record]) -> int:
    rows = _distinct(kind, records)
    _refuse_changes(connection, kind, rows)
    names = (*columns(kind), "content_hash")
    unnested = ", ".join("unnest(?)" for _ in names)
    cursor = connection.execute(
        f"INSERT INTO {kind.table} ({', '.join(names)}) SELECT {unnested} ON CONFLICT DO NOTHING",
        [list(column) for column in zip(*rows.values(), strict=True)],
    )
    (count,) = cursor.fetchone() or (0,)
    return int(count)


def _distinct(kind: type[Record], records: Sequence[Record]) -> dict[tuple[Value, ...], tuple[Value, ...]]:
    """Returns rows by key, each with its content hash at the end; raises if two with one key differ."""
    positions = [columns(kind).index(name) for name in kind.key]
    rows: dict[tuple[Value, ...], tuple[Value, ...]] = {}
    for record in records:
        values = encode(record)
        row = (*values, row_hash(kind, values))
        key = tuple(values[position] for position in positions)
        if rows.setdefault(key, row)[-1] != row[-1]:
            raise _changed(kind, key)
    return rows


def _refuse_changes(
    connection: duckdb.DuckDBPyConnection,
    kind: type[Record],
    rows: Mapping[tuple[Value, ...], tuple[Value, ...]],
) -> None:
    keys = ", ".join(kind.key)
    unnested = ", ".join(f"unnest(?) AS {name}" for name in (*kind.key, "new_hash"))
    found = connection.execute(
        f"SELECT {keys} FROM {kind.table} JOIN (SELECT {unnested}) USING ({keys}) "
        "WHERE content_hash <> new_hash ORDER BY ALL LIMIT 1",
        [*(list(column) for column in zip(*rows, strict=True)), [row[-1] for row in rows.values()]],
    ).fetchone()
    if found:
        raise _changed(kind, found)


def _changed(kind: type[Record], key: tuple[object, ...]) -> StoreError:
    name = ", ".join(str(part) for part in key)
    return StoreError(f"{kind.table} {name} was stored before with other content; rows are never changed")
