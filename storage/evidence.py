"""Collects the data of a run's report: the summary, counts for the charts, and a few complete examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fdd.domain import Band, Reason
from fdd.storage.codec import select
from fdd.storage.database import Connection
from fdd.storage.life import select_ancestors
from fdd.storage.records import ProblemRecord, RationaleRecord
from fdd.storage.summary import SetSize, Summary, set_sizes, summarize

SPECIMENS = 2
"""Rationales shown for each verdict."""
PAIRS = 5
"""Copies of evaluation problems shown for each kind."""


@dataclass(frozen=True, slots=True)
class Yield:
    """What became of the new problems of one operator (None for seeds) in one round.

    Problems that have no rationale yet are only in `problems`.
    """

    round: int
    operator: str | None
    problems: int
    accepted: int
    """Problems with a rationale that is taught."""
    quarantined: int
    """Problems whose rationales were not accepted."""
    failed: int
    """Problems for which every call for a rationale failed."""
    kept_out: int
    """Questions, drafts included, that copy an evaluation problem; not among `problems`."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Number of problems of one operator for which `correct` of a student's `n` samples were correct."""

    round: int
    """The student's round."""
    operator: str | None
    n: int
    correct: int
    problems: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Number of problems by two bands, perhaps equal: of parent and child, or of two probes of a problem."""

    round: int
    """Round of the later student."""
    operator: str | None
    """Operator of the child; None if the same problem was probed again."""
    before: Band
    after: Band
    problems: int
    same_student: int
    """How many of these problems had both answers from the same student."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """A rationale with its problem: the last of `lineage`, after its ancestors, the oldest first."""

    rationale: RationaleRecord
    lineage: tuple[ProblemRecord, ...]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Number of rationales with one verdict, and some of them."""

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
    """The data of a report, all read in one transaction, so that it is consistent while the run goes on."""

    summary: Summary
    yields: tuple[Yield, ...]
    sizes: tuple[SetSize, ...]
    rates: tuple[Rate, ...]
    flows: tuple[Flow, ...]
    verdicts: tuple[Verdicts, ...]
    pairs: tuple[Pair, ...]


def gather_evidence(connection: Connection) -> Evidence:
    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    return Evidence(
        summary=summarize(connection),
        yields=tuple(Yield(*row) for row in rows(_YIELDS)),
        sizes=set_sizes(connection),
        rates=tuple(Rate(*row) for row in rows(_RATES)),
        flows=tuple(
            Flow(round, operator, Band(before), Band(after), *numbers)
            for round, operator, before, after, *numbers in rows(_CHILDREN) + rows(_AGAIN)
        ),
        verdicts=tuple(_verdicts(connection)),
        pairs=tuple(Pair(*row) for row in rows(_PAIRS)),
    )


_YIELDS = """
WITH became AS (
    SELECT problem_id, round,
           CASE WHEN bool_or(id IN (SELECT rationale_id FROM taught WHERE NOT vote)) THEN 'accepted'
                WHEN bool_and(reason = 'call_failed') THEN 'failed' ELSE 'quarantined' END AS outcome
    FROM rationales GROUP BY problem_id, round
), questions AS (
    SELECT problems.round, operator, coalesce(outcome, 'pending') AS outcome
    FROM problems LEFT JOIN became ON became.problem_id = problems.id AND became.round = problems.round
    WHERE split IN ('seed', 'generated')
    UNION ALL SELECT round, operator, 'kept out' FROM contamination
)
SELECT round, operator, count(*) FILTER (outcome <> 'kept out'),
       count(*) FILTER (outcome = 'accepted'), count(*) FILTER (outcome = 'quarantined'),
       count(*) FILTER (outcome = 'failed'), count(*) FILTER (outcome = 'kept out')
FROM questions GROUP BY round, operator ORDER BY round, operator NULLS FIRST
"""

_ANSWERED = """
WITH answered AS (
    SELECT probes.*,
           coalesce(list_max([each FOR each IN range(round + 1) IF each NOT IN rounds]), -1) AS student
    FROM probes, (SELECT coalesce(list(round), []) AS rounds FROM undone)
)
"""
"""Probes with their student's round: that of the probe, or the last one before it that was not undone."""

_RATES = f"""
{_ANSWERED}
SELECT student, operator, n, correct, count(*)
FROM answered JOIN problems ON problems.id = problem_id AND answered.round < problems.round
GROUP BY ALL ORDER BY student, operator NULLS FIRST, n, correct
"""
"""Only of problems that had not been taught yet."""

_CHILDREN = f"""
{_ANSWERED}
SELECT child.student, operator, parent.band, child.band, count(*),
       count(*) FILTER (parent.student = child.student)
FROM answered child
JOIN problems ON problems.id = child.problem_id AND problems.round = child.round + 1
JOIN answered parent ON parent.problem_id = problems.parent AND parent.round = child.parent_round
GROUP BY ALL ORDER BY ALL
"""
"""Compares children, as probed before they were taught, with their parents."""

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

_PAIRS = f"""
SELECT round, kind, overlap, removed, evaluated, evaluation FROM kept_out
QUALIFY row_number() OVER (PARTITION BY kind ORDER BY round, removed, problem_id) <= {PAIRS}
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
"""Prefers written problems to seeds and late rounds to early ones, because their lineage is longer."""


def _verdicts(connection: Connection) -> Iterator[Verdicts]:
    chosen = connection.execute(_CHOSEN, [SPECIMENS]).fetchall()
    for (reason, total), rows in groupby(chosen, key=lambda row: row[:2]):
        specimens = []
        for _, _, key in rows:
            [rationale] = select(connection, RationaleRecord, "WHERE id = ?", key)
            [problem] = select(connection, ProblemRecord, "WHERE id = ?", rationale.problem_id)
            specimens.append(Specimen(rationale, (*select_ancestors(connection, problem), problem)))
        yield Verdicts(Reason(reason), total, tuple(specimens))
