"""What a run came to, round by round, in the shape that `report --json` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

import duckdb

from domain import shares_templates
from storage.records import TAUGHT_SPLITS, Json, evaluation_name
from storage.usage import CostSummary, summarize_cost

BASELINE_ROUND = -1
"""Round of the student before any teaching."""


class EvaluationSummary(TypedDict):
    """One problem set's result."""

    name: str
    n: int
    correct: int
    accuracy: float
    low: float
    high: float


class BaselineSummary(TypedDict):
    """The student before any teaching."""

    evaluations: list[EvaluationSummary]


class RoundSummary(TypedDict):
    """One round: its training set, what was probed with its student, and how that student did."""

    round: int
    problems: int
    """In the training set: with an accepted rationale of this round or an earlier one."""
    added: int
    """Of those, the ones that are new in this round."""
    accepted: int
    """Problems of this round counted once a thought in which their rationale was accepted."""
    quarantined: int
    """The same, where it was not."""
    failed: int
    """The same, where every call failed. Accepted, quarantined and failed are all that were asked."""
    quarantine_reasons: dict[str, int]
    removed: dict[str, int]
    """Proposed for this round and not taken, by reason."""
    kept_out: dict[str, int]
    """Questions that copy an evaluation problem, by kind; those that were then written anew count too."""
    easy: int
    mixed: int
    hard: int
    evaluations: list[EvaluationSummary]


class Summary(TypedDict):
    """The whole run."""

    run: str
    settings: Mapping[str, Json]
    exact_only: list[str]
    """Evaluation sets that share their templates with what is taught: only exact copies are kept out."""
    baseline: BaselineSummary
    rounds: list[RoundSummary]
    cost: CostSummary


def summarize(connection: duckdb.DuckDBPyConnection) -> Summary:
    run, settings = connection.execute("SELECT id, settings FROM runs").fetchall()[0]
    rounds = connection.execute(
        """
        SELECT round FROM rationales UNION SELECT round FROM rounds
        UNION SELECT round FROM evaluations WHERE round >= 0 ORDER BY round
        """
    ).fetchall()
    return {
        "run": run,
        "settings": json.loads(settings),
        "exact_only": _exact_only(connection),
        "baseline": {"evaluations": _evaluations(connection, BASELINE_ROUND)},
        "rounds": [_round(connection, number) for (number,) in rounds],
        "cost": summarize_cost(connection),
    }


def _round(connection: duckdb.DuckDBPyConnection, number: int) -> RoundSummary:
    outcomes = _counts(
        connection,
        "SELECT reason, count(*) FROM outcomes WHERE round = ? GROUP BY reason ORDER BY reason",
        number,
    )
    accepted, failed = outcomes.pop("accepted", 0), outcomes.pop("call_failed", 0)
    bands = _counts(connection, "SELECT band, count(*) FROM probes WHERE round = ? GROUP BY band", number)
    taught = "SELECT count(DISTINCT problem_id) FROM taught WHERE round"
    problems = _number(connection, f"{taught} <= ?", number)
    kept_out = "SELECT kind, count(*) FROM contamination WHERE round = ? GROUP BY kind ORDER BY kind"
    removed = connection.execute("SELECT removed FROM rounds WHERE round = ?", [number]).fetchone()
    return {
        "round": number,
        "problems": problems,
        "added": problems - _number(connection, f"{taught} < ?", number),
        "accepted": accepted,
        "quarantined": sum(outcomes.values()),
        "failed": failed,
        "quarantine_reasons": outcomes,
        "removed": json.loads(removed[0]) if removed else {},
        "kept_out": _counts(connection, kept_out, number),
        "easy": bands.get("easy", 0),
        "mixed": bands.get("mixed", 0),
        "hard": bands.get("hard", 0),
        "evaluations": _evaluations(connection, number),
    }


def _exact_only(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT split, template FROM problems").fetchall()
    evaluated = [(evaluation_name(split), template) for split, template in rows if split not in TAUGHT_SPLITS]
    return sorted({name for name, template in evaluated if shares_templates(template, name)})


def _evaluations(connection: duckdb.DuckDBPyConnection, number: int) -> list[EvaluationSummary]:
    rows = connection.execute(
        "SELECT name, n, correct, accuracy, low, high FROM evaluations WHERE round = ? ORDER BY name",
        [number],
    ).fetchall()
    return [
        {"name": name, "n": n, "correct": correct, "accuracy": accuracy, "low": low, "high": high}
        for name, n, correct, accuracy, low, high in rows
    ]


def _counts(connection: duckdb.DuckDBPyConnection, query: str, number: int) -> dict[str, int]:
    return dict(connection.execute(query, [number]).fetchall())


def _number(connection: duckdb.DuckDBPyConnection, query: str, number: int) -> int:
    (count,) = connection.execute(query, [number]).fetchone() or (0,)
    return int(count)
