"""The life of one problem: its origin, what was written and decided about it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from fdd.storage.codec import select
from fdd.storage.records import (
    AttemptRecord,
    CallRecord,
    ProbeRecord,
    ProblemRecord,
    RationaleRecord,
    RejectionRecord,
    TranscriptRecord,
)
from fdd.storage.summary import BASELINE_ROUND

_TAUGHT = """
SELECT DISTINCT round FROM rounds JOIN taught ON round BETWEEN first_round AND last_round AND NOT vote
WHERE problem_id = ? ORDER BY round
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """Everything that the database has about one problem."""

    problem: ProblemRecord
    ancestors: list[ProblemRecord]
    """The seed first, the parent last."""
    children: list[ProblemRecord]
    rationales: list[RationaleRecord]
    """By round and format, a repair after the rationale that it repairs."""
    calls: list[CallRecord]
    """Calls made for it or for its children, and the call that wrote it, in order of time."""
    transcripts: dict[str, TranscriptRecord]
    """By call id; agents without a model have none."""
    probes: list[ProbeRecord]
    attempts: list[AttemptRecord]
    """By round, purpose, format and sample."""
    taught: list[int]
    """Rounds whose training set contained it."""
    undone: list[int]
    """Undone rounds of the run; after each, the student from before it went on."""
    rejections: list[RejectionRecord]
    """At most one: a person does not want the problem taught."""

    def latest(self, round: int) -> int:
        """Returns the round of the student that went on after this round; -1 for the untaught student."""
        return max((each for each in range(round + 1) if each not in self.undone), default=BASELINE_ROUND)

    def student_of(self, attempt: AttemptRecord) -> int:
        """Returns the round of the student that answered: an evaluation's own round, else the latest."""
        return attempt.round if attempt.evaluation else self.latest(attempt.round)


def select_life(connection: duckdb.DuckDBPyConnection, problem_id: str) -> Life | None:
    found = select(connection, ProblemRecord, "WHERE id = ?", problem_id)
    if not found:
        return None
    problem = found[0]
    calls = select(
        connection,
        CallRecord,
        "WHERE problem_id = ? OR id = ? ORDER BY started, id",
        problem_id,
        problem.call_id,
    )
    transcripts = select(
        connection, TranscriptRecord, "WHERE list_contains(?, call_id)", [call.id for call in calls]
    )
    by_problem = "WHERE problem_id = ? ORDER BY"
    return Life(
        problem=problem,
        ancestors=select_ancestors(connection, problem),
        children=select(connection, ProblemRecord, "WHERE parent = ? ORDER BY round, id", problem_id),
        rationales=select(
            connection, RationaleRecord, f"{by_problem} round, thought, repaired, id", problem_id
        ),
        calls=calls,
        transcripts={transcript.call_id: transcript for transcript in transcripts},
        probes=select(connection, ProbeRecord, f"{by_problem} round", problem_id),
        attempts=select(
            connection, AttemptRecord, f"{by_problem} round, purpose, thought, sample, id", problem_id
        ),
        taught=_rounds(connection, _TAUGHT, problem_id),
        undone=_rounds(connection, "SELECT round FROM undone"),
        rejections=select(connection, RejectionRecord, "WHERE problem_id = ?", problem_id),
    )


def find_problems(connection: duckdb.DuckDBPyConnection, beginning: str) -> list[str]:
    """Returns the ids with this beginning, at most ten; only the id itself if `beginning` is complete."""
    rows = connection.execute(
        "SELECT id FROM problems WHERE starts_with(id, ?) ORDER BY id LIMIT 10", [beginning]
    ).fetchall()
    ids = [str(name) for (name,) in rows]
    return [beginning] if beginning in ids else ids


def select_ancestors(connection: duckdb.DuckDBPyConnection, problem: ProblemRecord) -> list[ProblemRecord]:
    """Returns the problem's ancestors: the seed first, the parent last."""
    chain: list[ProblemRecord] = []
    parent = problem.parent
    # A damaged database may have a cycle of parents.
    while parent is not None and all(parent != known.id for known in chain):
        above = select(connection, ProblemRecord, "WHERE id = ?", parent)
        chain = [*above, *chain]
        parent = above[0].parent if above else None
    return chain


def _rounds(connection: duckdb.DuckDBPyConnection, query: str, *values: str) -> list[int]:
    return [int(round) for (round,) in connection.execute(query, values).fetchall()]
