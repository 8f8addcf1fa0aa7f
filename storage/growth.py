"""Counts how the training set grows from round to round."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

_SIZES = """
WITH shown AS (
    SELECT round FROM rationales UNION SELECT round FROM rounds
    UNION SELECT round FROM evaluations WHERE round >= 0
), sets AS (
    SELECT round, problem_id, min(first_round) = round AS new
    FROM shown JOIN taught ON round BETWEEN first_round AND last_round AND NOT vote
    GROUP BY round, problem_id
)
SELECT shown.round, operator, count(problem_id), count(problem_id) FILTER (new)
FROM shown LEFT JOIN sets USING (round) LEFT JOIN problems ON id = problem_id
GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class SetSize:
    """Number of problems in a round's training set that come from one operator (None for seeds)."""

    round: int
    operator: str | None
    problems: int
    new: int
    """Those that no training set of an earlier kept round had."""


def set_sizes(connection: duckdb.DuckDBPyConnection) -> tuple[SetSize, ...]:
    """Returns the sizes of every round that has a rationale, a student or an evaluation, by round."""
    return tuple(SetSize(*row) for row in connection.execute(_SIZES).fetchall())
