"""The store: everything that a run did, in one DuckDB file whose rows are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from fdd.domain import Usage
from fdd.errors import StoreError
from fdd.storage.checks import Finding, check
from fdd.storage.codec import R, columns, encode, row_hash, select
from fdd.storage.database import LOCK_PATIENCE, Connection, Database, log_of
from fdd.storage.records import (
    TAUGHT_SPLITS,
    AttemptRecord,
    CallRecord,
    DecisionRecord,
    DriftRecord,
    EvaluationRecord,
    EventRecord,
    Json,
    ProbeRecord,
    ProblemRecord,
    Purpose,
    RationaleRecord,
    Record,
    RefinementRecord,
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
        for file in (draft, log_of(draft)):  # left by a process that was killed before the last line
            file.unlink(missing_ok=True)
        database = Database(draft, patience=patience)
        database.migrate()
        cls(database).add([run])
        with database.writing() as connection:
            connection.execute(
                "CHECKPOINT"
            )  # moves the write-ahead log into the file, which can be renamed then
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

    def become(self, run: RunRecord) -> None:
        """Replaces the row of the run, in a copy of the database with which another run goes on."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM runs")
            _insert(connection, RunRecord, [run])

    def log(self, *, round: int, phase: str, kind: str, detail: Mapping[str, Json] | None = None) -> None:
        """Appends an event."""
        now = datetime.now(UTC).replace(tzinfo=None)
        text = json.dumps(detail or {}, sort_keys=True, ensure_ascii=False)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO events SELECT coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ? FROM events",
                [now, round, phase, kind, text],
            )

    # Reading. Every list has a fixed order: the key's, if nothing else is said. None does not restrict

    def read(
        self,
        query: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Returns the result of a query function of this package, in one transaction.

        life = store.read(select_life, problem_id)
        """
        with self._database.reading() as connection:
            return query(connection, *args, **kwargs)

    def run(self) -> RunRecord:
        for run in self._equal(RunRecord):
            return run
        raise StoreError(f"the database {self.path} holds no run: its row was removed")

    def problems(
        self, *, splits: Collection[str] | None = None, round: int | None = None
    ) -> list[ProblemRecord]:
        """Returns the problems of these splits and of this round."""
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
        return self._equal(RationaleRecord, problem_id=problem_id, round=round)

    def training_set(self, *, round: int, thoughts: Collection[str] | None = None) -> list[Lesson]:
        """Returns what the view `taught` has for this round, with the problems, by id of the rationale.

        Leaves out formats that are not in `thoughts`, if that is given. Several samples in one format are
        several lessons.
        """
        rationales = self._select(
            RationaleRecord,
            "WHERE id IN (SELECT rationale_id FROM taught WHERE $1 BETWEEN first_round AND last_round) "
            "AND ($2 IS NULL OR list_contains($2, thought)) ORDER BY id",
            round,
            None if thoughts is None else list(thoughts),
        )
        problems = {problem.id: problem for problem in self.problems(splits=TAUGHT_SPLITS)}
        return [Lesson(problems[rationale.problem_id], rationale) for rationale in rationales]

    def teachable(self, *, round: int) -> list[ProblemRecord]:
        """Returns the problems of this round and of earlier kept ones, without rejected ones, by id."""
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
        order = ("problem_id", "thought", "sample", "id")
        return self._equal(AttemptRecord, order, round=round, purpose=purpose, evaluation=evaluation)

    def probes(self, *, round: int | None = None, problem_id: str | None = None) -> list[ProbeRecord]:
        return self._equal(ProbeRecord, round=round, problem_id=problem_id)

    def rounds(self) -> list[RoundRecord]:
        return self._equal(RoundRecord)

    def refinements(self) -> list[RefinementRecord]:
        """Returns the second trainings, by round."""
        return self._equal(RefinementRecord)

    def kept(self) -> list[RoundRecord]:
        """Returns the rounds whose student was evaluated and that were not undone."""
        return self._select(
            RoundRecord,
            "WHERE round IN (SELECT round FROM evaluations) "
            "AND round NOT IN (SELECT round FROM undone) ORDER BY round",
        )

    def decisions(self) -> list[DecisionRecord]:
        return self._equal(DecisionRecord)

    def rejections(self) -> list[RejectionRecord]:
        """Returns the problems that are not taught any more."""
        return self._equal(RejectionRecord)

    def evaluations(self, *, round: int | None = None) -> list[EvaluationRecord]:
        return self._equal(EvaluationRecord, round=round)

    def drift(self) -> list[DriftRecord]:
        return self._equal(DriftRecord)

    def calls(self) -> list[CallRecord]:
        return self._equal(CallRecord)

    def events(self) -> list[EventRecord]:
        return self._equal(EventRecord)

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

    def summary(self) -> Summary:
        """Returns the run's summary, to which `report --json` adds what `reporting.results.precise` does."""
        return self.read(summarize)

    def verify(self) -> list[Finding]:
        """Returns the faults found in the database; empty if there are none."""
        return self.read(check)

    def _select(self, record: type[R], where: str, *values: object) -> list[R]:
        return self.read(select, record, where, *values)

    def _equal(self, record: type[R], order: Sequence[str] = (), **equal: object) -> list[R]:
        """Returns the rows with these values in these columns, by key or `order`; None does not restrict."""
        given = {name: value for name, value in equal.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "true"
        return self._select(
            record, f"WHERE {where} ORDER BY {', '.join(order or record.key)}", *given.values()
        )


def _insert(connection: Connection, kind: type[Record], records: Sequence[Record]) -> int:
    """Adds the rows with new keys and returns their number; raises if another row has other content."""
    names = (*columns(kind), "content_hash")
    rows = [(*values, row_hash(kind, values)) for values in map(encode, records)]
    lists = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    cursor = connection.execute(
        f"INSERT INTO {kind.table} ({', '.join(names)}) SELECT {', '.join('unnest(?)' for _ in names)} "
        "ON CONFLICT DO NOTHING",
        list(lists.values()),
    )
    (count,) = cursor.fetchone() or (0,)
    keys = ", ".join(kind.key)
    unnested = ", ".join(f"unnest(?) AS {name}" for name in (*kind.key, "new_hash"))
    changed = connection.execute(
        f"SELECT {keys} FROM {kind.table} JOIN (SELECT {unnested}) USING ({keys}) "
        "WHERE content_hash <> new_hash ORDER BY ALL LIMIT 1",
        [lists[name] for name in (*kind.key, "content_hash")],
    ).fetchone()
    if changed:
        name = ", ".join(map(str, changed))
        raise StoreError(f"{kind.table} {name} was stored before with other content; rows are never changed")
    return int(count)
