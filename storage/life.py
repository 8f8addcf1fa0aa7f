"""The life of one problem: its origin, what was written and decided about it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from fdd.domain import UNTAUGHT
from fdd.errors import PROGRAM, UsageError
from fdd.storage.codec import R, select
from fdd.storage.database import Connection
from fdd.storage.records import (
    AttemptRecord,
    CallRecord,
    ProbeRecord,
    ProblemRecord,
    RationaleRecord,
    RejectionRecord,
    TranscriptRecord,
)
from fdd.storage.summary import SkillSummary, skills

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
    skill: list[SkillSummary]
    """What each round's probes found about the problem's skill, and what was written for it then."""
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
    """At most one."""

    def latest(self, round: int) -> int:
        """Returns the round of the student that went on after this round; -1 for the untaught student."""
        return max((each for each in range(round + 1) if each not in self.undone), default=UNTAUGHT)

    def student_of(self, attempt: AttemptRecord) -> int:
        """Returns the round of the student that answered: an evaluation's own round, else the latest."""
        is_evaluation = attempt.evaluation and attempt.purpose != "shown"
        return attempt.round if is_evaluation else self.latest(attempt.round)


def select_life(connection: Connection, problem_id: str) -> Life | None:
    """Returns everything about one problem; None if there is no such problem."""

    def rows(record: type[R], order: str, column: str = "problem_id") -> list[R]:
        return select(connection, record, f"WHERE {column} = ? ORDER BY {order}", problem_id)

    def rounds(query: str, *values: str) -> list[int]:
        return [int(round) for (round,) in connection.execute(query, values).fetchall()]

    problem = next(iter(rows(ProblemRecord, "id", "id")), None)
    if problem is None:
        return None
    wanted = "WHERE problem_id = ? OR id = ? ORDER BY started, id"
    calls = select(connection, CallRecord, wanted, problem_id, problem.call_id)
    called = [call.id for call in calls]
    transcripts = select(connection, TranscriptRecord, "WHERE list_contains(?, call_id)", called)
    return Life(
        problem=problem,
        ancestors=select_ancestors(connection, problem),
        children=rows(ProblemRecord, "round, id", "parent"),
        skill=[each for each in skills(connection) if each["skill"] == problem.skill],
        rationales=rows(RationaleRecord, "round, thought, repaired, id"),
        calls=calls,
        transcripts={transcript.call_id: transcript for transcript in transcripts},
        probes=rows(ProbeRecord, "round"),
        attempts=rows(AttemptRecord, "round, purpose, thought, sample, id"),
        taught=rounds(_TAUGHT, problem_id),
        undone=rounds("SELECT round FROM undone"),
        rejections=rows(RejectionRecord, "round"),
    )


def find_problem(connection: Connection, beginning: str) -> str:
    """Returns the id of the only problem whose id is this or begins with it.

    Raises `UsageError` if there is none or more than one.
    """
    rows = connection.execute(
        "SELECT id FROM problems WHERE starts_with(id, ?) ORDER BY id LIMIT 10", [beginning]
    ).fetchall()
    found = [str(name) for (name,) in rows]
    if beginning in found or len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{beginning!r} is the beginning of several ids: give more of {', '.join(found)}")
    raise UsageError(
        f"no problem of this run has an id that begins with {beginning!r}: see the column `id` of the table "
        f"`problems`, or `{PROGRAM} trace DIR --kind problem`"
    )


def select_ancestors(connection: Connection, problem: ProblemRecord) -> list[ProblemRecord]:
    """Returns the problem's ancestors: the seed first, the parent last."""
    chain: list[ProblemRecord] = []
    parent = problem.parent
    # A damaged database may have a cycle of parents.
    while parent is not None and all(parent != known.id for known in chain):
        above = select(connection, ProblemRecord, "WHERE id = ?", parent)
        chain = [*above, *chain]
        parent = above[0].parent if above else None
    return chain
