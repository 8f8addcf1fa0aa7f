"""The store: everything that a run did, in one DuckDB file whose rows are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from pathlib import Path
from typing import Self

import duckdb

from fdd.domain import Usage
from fdd.errors import StoreError
from fdd.storage.checks import Finding, check
from fdd.storage.codec import R, Value, columns, encode, row_hash
from fdd.storage.database import LOCK_PATIENCE, Database, log_of
from fdd.storage.evidence import Evidence, gather
from fdd.storage.explorer import (
    CallDetails,
    EvaluationItems,
    ProblemFacets,
    ProblemPage,
    ProblemSearch,
    SpanFacets,
    evaluation_items,
    problem_facets,
    search_problems,
    select_exchange,
    span_facets,
)
from fdd.storage.life import Life, find_problems, select_life
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
    SpanRecord,
    TranscriptRecord,
)
from fdd.storage.rows import select
from fdd.storage.summary import Summary, summarize
from fdd.storage.telemetry import Exchange, select_exchanges, select_stages
from fdd.storage.tracing import (
    Place,
    SpanFilter,
    SpanPage,
    is_finished,
    newest,
    select_enclosing,
    select_news,
    select_spans,
)
from fdd.storage.usage import AgentUsage, usage_by_agent

_BATCH = 5_000
"""Rows in one INSERT."""


@dataclass(frozen=True, slots=True)
class ProbedSkill:
    """A row of the view `probed_skills`."""

    round: int
    skill: str
    n: int
    correct: int
    taught: int


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
        for ruin in (draft, log_of(draft)):  # of a process that was killed before the last line
            ruin.unlink(missing_ok=True)
        database = Database(draft, patience=patience)
        with database.writing():
            pass  # makes the file
        database.migrate()
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

    def run(self) -> RunRecord:
        for run in self._select(RunRecord):
            return run
        raise StoreError(f"the database {self.path} holds no run: its row was removed")

    def problems(
        self,
        *,
        splits: Collection[str] | None = None,
        round: int | None = None,
    ) -> list[ProblemRecord]:
        """Returns the problems of these splits and of this round, by id; None does not restrict."""
        return self._select(
            ProblemRecord,
            "WHERE ($1 IS NULL OR list_contains($1, split)) AND ($2 IS NULL OR round = $2) ORDER BY id",
            None if splits is None else sorted(splits),
            round,
        )

    def problem(self, problem_id: str) -> ProblemRecord | None:
        found = self._select(ProblemRecord, "WHERE id = $1", problem_id)
        return found[0] if found else None

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

    def rationales(
        self,
        *,
        problem_id: str | None = None,
        round: int | None = None,
    ) -> list[RationaleRecord]:
        return self._select(
            RationaleRecord,
            "WHERE ($1 IS NULL OR problem_id = $1) AND ($2 IS NULL OR round = $2) ORDER BY id",
            problem_id,
            round,
        )

    def training_set(self, *, round: int, thoughts: Collection[str] | None = None) -> list[Lesson]:
        """Returns the accepted rationales of this round and of earlier kept ones, with their problems, by id.

        Leaves out problems that a person rejected for this round or earlier, and formats that are not in
        `thoughts`, if that is given. Several samples in one format are several lessons.
        """
        with self._database.reading() as connection:
            rationales = select(
                connection,
                RationaleRecord,
                "WHERE reason = 'accepted' AND (round = $1 OR round < $1 AND round NOT IN "
                "(SELECT round FROM decisions WHERE NOT kept)) "
                "AND problem_id NOT IN (SELECT problem_id FROM rejections WHERE round <= $1) "
                "AND ($2 IS NULL OR list_contains($2, thought)) ORDER BY id",
                round,
                None if thoughts is None else list(thoughts),
            )
            problems = select(
                connection, ProblemRecord, "WHERE list_contains($1, split)", list(TAUGHT_SPLITS)
            )
        by_id = {problem.id: problem for problem in problems}
        return [Lesson(by_id[rationale.problem_id], rationale) for rationale in rationales]

    def attempts(
        self,
        *,
        round: int,
        purpose: Purpose | None = None,
        evaluation: str | None = None,
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

    def probed_skills(self) -> list[ProbedSkill]:
        """Returns how each round's student answered the probes of each skill."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM probed_skills ORDER BY round, skill").fetchall()
        return [ProbedSkill(*row) for row in rows]

    def rounds(self) -> list[RoundRecord]:
        return self._select(RoundRecord, "ORDER BY round")

    def kept(self) -> list[RoundRecord]:
        """Returns the rounds whose student was evaluated and that were not undone."""
        return self._select(
            RoundRecord,
            "WHERE round IN (SELECT round FROM evaluations) "
            "AND round NOT IN (SELECT round FROM decisions WHERE NOT kept) ORDER BY round",
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

    def usage(self) -> list[AgentUsage]:
        """Returns what the calls used and cost, by round and agent."""
        with self._database.reading() as connection:
            return usage_by_agent(connection)

    def paid(self) -> Usage:
        """Returns what this run paid for replies; a reply that was used several times counts once."""
        replies = {
            (call.model, call.prompt_hash, call.settings_hash, call.problem_id, call.sample): call
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

    def spans(self, wanted: SpanFilter, *, limit: int = 1_000, offset: int = 0) -> SpanPage:
        """Returns at most `limit` spans, in the order in which they began."""
        with self._database.reading() as connection:
            return select_spans(connection, wanted, limit=limit, offset=offset)

    def enclosing(self, spans: Sequence[SpanRecord]) -> dict[str, SpanRecord]:
        """Returns every span that contains one of these, directly or indirectly, by id."""
        with self._database.reading() as connection:
            return select_enclosing(connection, spans)

    def newest(self) -> Place:
        """Returns the place from which `news` gives the state of every phase, but only steps yet to come."""
        with self._database.reading() as connection:
            return newest(connection)

    def is_finished(self) -> bool:
        """Whether the run is complete."""
        with self._database.reading() as connection:
            return is_finished(connection)

    def news(self, wanted: SpanFilter, since: Place, *, limit: int = 1_000) -> tuple[list[SpanRecord], Place]:
        """Returns phases that changed and steps stored after `since`, and the place to go on from."""
        with self._database.reading() as connection:
            return select_news(connection, wanted, since, limit=limit)

    def stages(self) -> list[SpanRecord]:
        """Returns the run, its rounds and phases; `seconds` lasts to the last event or step, with pauses."""
        with self._database.reading() as connection:
            return select_stages(connection)

    def exchanges(self, call_ids: Sequence[str]) -> dict[str, Exchange]:
        """Returns the calls with these ids and their transcripts, by id; leaves out calls not stored."""
        with self._database.reading() as connection:
            return select_exchanges(connection, call_ids)

    def life(self, problem_id: str) -> Life | None:
        """Returns everything about one problem; None if there is no such problem."""
        with self._database.reading() as connection:
            return select_life(connection, problem_id)

    def find_problems(self, beginning: str) -> list[str]:
        """Returns the ids with this beginning, at most ten; only the id itself if `beginning` is complete."""
        with self._database.reading() as connection:
            return find_problems(connection, beginning)

    def transcript(self, call_id: str) -> TranscriptRecord | None:
        """Returns a call's transcript; None for a call without a model, or of an older schema."""
        found = self._select(TranscriptRecord, "WHERE call_id = $1", call_id)
        return found[0] if found else None

    def summary(self) -> Summary:
        """Returns the run's summary, to which `report --json` adds `by_template` and `visible_loss`."""
        with self._database.reading() as connection:
            return summarize(connection)

    def evidence(self) -> Evidence:
        """Returns the data of a report."""
        with self._database.reading() as connection:
            return gather(connection)

    def search(self, search: ProblemSearch) -> tuple[ProblemPage, ProblemFacets]:
        """Returns the problems found, and the values by which all problems can be filtered."""
        with self._database.reading() as connection:
            return search_problems(connection, search), problem_facets(connection)

    def items(self, name: str) -> EvaluationItems:
        """Returns the problems of an evaluation set, and every student's answers."""
        with self._database.reading() as connection:
            return evaluation_items(connection, name)

    def overview(self) -> tuple[RunRecord, Summary, list[EventRecord]]:
        """Returns the run, its summary and its events, read in one transaction."""
        with self._database.reading() as connection:
            summary = summarize(connection)
            [run] = select(connection, RunRecord)
            return run, summary, select(connection, EventRecord, "ORDER BY seq")

    def trace(self, wanted: SpanFilter, *, limit: int, offset: int = 0) -> tuple[SpanPage, SpanFacets]:
        """Returns the same as `spans`, and the values by which all spans can be filtered."""
        with self._database.reading() as connection:
            return select_spans(connection, wanted, limit=limit, offset=offset), span_facets(connection)

    def exchange(self, call_id: str) -> CallDetails | None:
        """Returns a call with its input and its results; None if there is no such call."""
        with self._database.reading() as connection:
            return select_exchange(connection, call_id)

    def verify(self) -> list[Finding]:
        """Returns the faults found in the database; empty if there are none."""
        with self._database.reading() as connection:
            return check(connection)

    def _select(self, record: type[R], where: str = "", *values: object) -> list[R]:
        with self._database.reading() as connection:
            return select(connection, record, where, *values)


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
