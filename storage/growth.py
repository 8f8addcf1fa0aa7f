"""Counts how the training set grows from round to round, without the problems of undone rounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import duckdb

_LESSONS = """
WITH lessons AS (SELECT DISTINCT round, problem_id FROM taught),
     firsts AS (
         SELECT problem_id, min(round) AS first FROM lessons
         WHERE round NOT IN (SELECT round FROM decisions WHERE NOT kept)
         GROUP BY problem_id
     )
"""
_KEPT = f"""{_LESSONS}
SELECT first, operator, rejections.round, count(*)
FROM firsts LEFT JOIN problems ON id = problem_id LEFT JOIN rejections USING (problem_id)
GROUP BY ALL
"""
_NEW = f"""{_LESSONS}
SELECT lessons.round, operator, count(*)
FROM lessons LEFT JOIN firsts USING (problem_id) LEFT JOIN problems ON id = problem_id
WHERE first IS NULL OR first >= lessons.round
GROUP BY lessons.round, operator
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """Numbers of problems by the round that first taught them and by their operator (None for seeds)."""

    kept: Counter[tuple[int, str | None, int | None]]
    """Counts only rounds that were kept. If a person rejected the problems, the last part of the key is the
    round from which on they are no longer in the set; otherwise it is None."""
    new: Counter[tuple[int, str | None]]
    """Counts, for every round, the problems that no kept round before it had taught."""

    def before(self, round: int) -> Counter[str | None]:
        """Returns the problems in this round's set that come from earlier kept rounds, by operator."""
        found = Counter[str | None]()
        for (first, operator, rejected), problems in self.kept.items():
            if first < round and (rejected is None or rejected > round):
                found[operator] += problems
        return found

    def added(self, round: int) -> Counter[str | None]:
        """Returns the problems that are new in this round, by operator."""
        return Counter({operator: n for (first, operator), n in self.new.items() if first == round})


def grow(connection: duckdb.DuckDBPyConnection) -> Growth:
    kept = {tuple(key): n for *key, n in connection.execute(_KEPT).fetchall()}
    new = {tuple(key): n for *key, n in connection.execute(_NEW).fetchall()}
    return Growth(Counter(kept), Counter(new))
