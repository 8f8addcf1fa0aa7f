"""What a report of a run is made of: its summary, counts for the pictures, and a few examples in full."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import duckdb

from domain import Band, Operator, Reason
from storage.growth import Growth, grow
from storage.life import select_ancestors
from storage.records import ProblemRecord, RationaleRecord
from storage.rows import select
from storage.summary import Summary, summarize

SPECIMENS = 2
"""Rationales shown of each verdict."""
PAIRS = 5
"""Copies of evaluation problems shown of each kind."""


@dataclass(frozen=True, slots=True)
class Yield:
    """What became of the problems of one operator that are new in one round."""

    round: int
    operator: str | None
    """None for seeds."""
    problems: int
    """All of them; those that are in none of the next three still wait for their rationales."""
    accepted: int
    """With a rationale that is taught."""
    quarantined: int
    """With rationales, of which none was accepted."""
    failed: int
    """Every call for a rationale failed."""


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Questions, drafts included, that copy an evaluation problem."""

    round: int
    seed: bool
    """It was to be taught as it came; else it was written from a parent."""
    operator: Operator | None
    """That it was written with; None for a seed, and for what was kept out before operators were recorded."""
    band: Band | None
    """Of that parent when it was written; None for a seed."""
    questions: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Problems of one operator of which one student answered `correct` of `n` samples rightly."""

    round: int
    """Of the student."""
    operator: str | None
    n: int
    correct: int
    problems: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Problems that went from one band to another: child against parent, or one problem probed again."""

    round: int
    """Of the later student."""
    operator: str | None
    """None where the same problem was probed again."""
    before: Band
    after: Band
    problems: int
    same_student: int
    """Of these, where one student answered both."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """One rationale, with its problem and the problems that this one was made from."""

    rationale: RationaleRecord
    lineage: tuple[ProblemRecord, ...]
    """The oldest ancestor first, the problem itself last."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All rationales with one verdict, and some of them."""

    reason: Reason
    rationales: int
    specimens: tuple[Specimen, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question that was kept out and the evaluation problem that it copies."""

    round: int
    kind: str
    overlap: float
    removed: str
    evaluated: str
    evaluation: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything of one moment, whatever a run that goes on adds meanwhile."""

    summary: Summary
    yields: tuple[Yield, ...]
    kept_out: tuple[KeptOut, ...]
    growth: Growth
    rates: tuple[Rate, ...]
    flows: tuple[Flow, ...]
    verdicts: tuple[Verdicts, ...]
    pairs: tuple[Pair, ...]


def gather(connection: duckdb.DuckDBPyConnection) -> Evidence:
    return Evidence(
        summary=summarize(connection),
        yields=tuple(Yield(*row) for row in connection.execute(_YIELDS).fetchall()),
        kept_out=tuple(
            KeptOut(
                round, seed, Operator(operator) if operator else None, Band(band) if band else None, questions
            )
            for round, seed, operator, band, questions in connection.execute(_KEPT_OUT).fetchall()
        ),
        growth=grow(connection),
        rates=tuple(Rate(*row) for row in connection.execute(_RATES).fetchall()),
        flows=tuple(
            Flow(round, operator, Band(before), Band(after), problems, same)
            for query in (_CHILDREN, _AGAIN)
            for round, operator, before, after, problems, same in connection.execute(query).fetchall()
        ),
        verdicts=_verdicts(connection),
        pairs=tuple(Pair(*row) for row in connection.execute(_PAIRS, [PAIRS]).fetchall()),
    )


_YIELDS = """
WITH became AS (
    SELECT problem_id, round, bool_or(taught.id IS NOT NULL) AS accepted,
           bool_and(rationales.reason = 'call_failed') AS failed
    FROM rationales LEFT JOIN taught USING (id, problem_id, round)
    GROUP BY problem_id, round
)
SELECT problems.round, operator, count(*), count(*) FILTER (accepted),
       count(*) FILTER (NOT accepted AND NOT failed), count(*) FILTER (NOT accepted AND failed)
FROM problems LEFT JOIN became ON became.problem_id = problems.id AND became.round = problems.round
WHERE split IN ('seed', 'generated')
GROUP BY problems.round, operator ORDER BY problems.round, operator NULLS FIRST
"""

_KEPT_OUT = """
WITH latest AS (
    SELECT contamination.id, arg_max(band, probes.round) AS band
    FROM contamination
    JOIN probes ON probes.problem_id = contamination.parent AND probes.round < contamination.round
    GROUP BY contamination.id
)
SELECT round, parent IS NULL AS seed, operator, band, count(*)
FROM contamination LEFT JOIN latest USING (id)
GROUP BY ALL ORDER BY ALL
"""

_ANSWERED = """
WITH undone AS (
    SELECT coalesce(list(round), []) AS rounds FROM decisions WHERE NOT kept
), answered AS (
    SELECT probes.*,
           coalesce(list_max([each FOR each IN range(round + 1) IF each NOT IN rounds]), -1) AS student
    FROM probes, undone
)
"""
"""Probes with the round of the student that answered: after a round that was undone, of one before it."""

_RATES = f"""
{_ANSWERED}
SELECT student, operator, n, correct, count(*)
FROM answered JOIN problems ON problems.id = problem_id AND answered.round < problems.round
GROUP BY ALL ORDER BY student, operator NULLS FIRST, n, correct
"""
"""Of problems before they were taught."""

_CHILDREN = f"""
{_ANSWERED}
SELECT child.student, operator, parent.band, child.band, count(*),
       count(*) FILTER (parent.student = child.student)
FROM answered child
JOIN problems ON problems.id = child.problem_id AND problems.round = child.round + 1
JOIN answered parent ON parent.problem_id = problems.parent AND parent.round = child.parent_round
GROUP BY ALL ORDER BY ALL
"""
"""Children as they were probed before they were taught."""

_AGAIN = f"""
{_ANSWERED}
SELECT student, NULL, before, band, count(*), count(*) FILTER (student_before = student)
FROM (
    SELECT student, band, lag(band) OVER last AS before, lag(student) OVER last AS student_before
    FROM answered WINDOW last AS (PARTITION BY problem_id ORDER BY round)
)
WHERE before IS NOT NULL
GROUP BY student, before, band ORDER BY student, before, band
"""

_PAIRS = """
SELECT round, kind, overlap, removed, evaluated, evaluation FROM kept_out
QUALIFY row_number() OVER (PARTITION BY kind ORDER BY round, removed, problem_id) <= $1
ORDER BY kind, round, removed, problem_id
"""

_CHOSEN = """
WITH ranked AS (
    SELECT rationales.id, reason, count(*) OVER (PARTITION BY reason) AS total,
           row_number() OVER (
               PARTITION BY reason ORDER BY parent IS NULL, rationales.round DESC, rationales.id
           ) AS place
    FROM rationales JOIN problems ON problems.id = problem_id
)
SELECT reason, total, id FROM ranked WHERE place <= $1
ORDER BY reason = 'accepted' DESC, total DESC, reason, place
"""
"""Written problems before seeds and late rounds before early ones, for their lineage is longer."""


def _verdicts(connection: duckdb.DuckDBPyConnection) -> tuple[Verdicts, ...]:
    chosen = connection.execute(_CHOSEN, [SPECIMENS]).fetchall()
    specimens: defaultdict[str, list[Specimen]] = defaultdict(list)
    for reason, _, key in chosen:
        specimens[reason].append(_specimen(connection, key))
    totals = {reason: total for reason, total, _ in chosen}
    return tuple(
        Verdicts(Reason(reason), total, tuple(specimens[reason])) for reason, total in totals.items()
    )


def _specimen(connection: duckdb.DuckDBPyConnection, key: str) -> Specimen:
    [rationale] = select(connection, RationaleRecord, "WHERE id = ?", key)
    [problem] = select(connection, ProblemRecord, "WHERE id = ?", rationale.problem_id)
    return Specimen(rationale, (*select_ancestors(connection, problem), problem))
