"""A run's results, round by round, in the form that `report --json` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import duckdb

from fdd.domain import Interval, shares_templates
from fdd.errors import StoreError, brief
from fdd.storage.growth import Growth, grow
from fdd.storage.records import TAUGHT_SPLITS, Json, evaluation_name
from fdd.storage.tracing import is_finished
from fdd.storage.usage import CostSummary, summarize_cost

BASELINE_ROUND = -1
"""Round of the untaught student."""


class TemplateInterval(TypedDict):
    """The 95 % interval of an accuracy if templates are the sample: what might other templates have given?"""

    templates: int
    """Number of templates; the problems are instances of them."""
    low: float
    high: float


class EvaluationSummary(TypedDict):
    """A student's result on one problem set."""

    name: str
    n: int
    correct: int
    accuracy: float
    low: float
    """Lower end of the 95 % interval over problems (Wilson)."""
    high: float
    by_template: NotRequired[TemplateInterval]
    """Only in `report` and `compare`, and only if every problem of the set has a template."""


class ReadSummary(EvaluationSummary):
    """The same, with the form of the answers."""

    form: float | None
    """Share of the answers that have the form that is taught; None if that was not recorded."""


class BaselineSummary(TypedDict):
    """The results of the untaught student."""

    evaluations: list[ReadSummary]


class DecisionSummary(TypedDict):
    """Whether a round was kept: its student compared on the dev set with that of the last kept round."""

    against: int
    """The last kept round; -1 for the untaught student."""
    n: int
    gained: int
    lost: int
    p: float
    """p-value of McNemar's exact test, two-sided, for this round alone."""
    kept: bool
    visible_loss: NotRequired[float | None]
    """Only in `report`: the smallest loss of accuracy that the test detects with a power of 80 %, or None."""


class RoundSummary(TypedDict):
    """One round: its training set, what was probed after it, and its student's results."""

    round: int
    problems: int
    """In the training set: with an accepted rationale of this round or of a kept one before it."""
    added: int
    """Problems in the training set that are new in this round."""
    accepted: int
    """Problems of this round with an accepted rationale, counted once for each format."""
    quarantined: int
    """Problems whose rationale was not accepted, counted in the same way."""
    failed: int
    """Problems for which every call failed, counted in the same way. Accepted, quarantined and failed add up
    to all that were asked."""
    quarantine_reasons: dict[str, int]
    removed: dict[str, int]
    """Number of problems proposed for this round but not taken, by reason."""
    kept_out: dict[str, int]
    """Questions that copy an evaluation problem, by kind; includes those that were then written anew."""
    easy: int
    mixed: int
    hard: int
    evaluations: list[ReadSummary]
    decision: DecisionSummary | None
    """None until the round is evaluated, and in runs from before decisions were recorded."""


class Summary(TypedDict):
    """The results of the whole run."""

    run: str
    finished: bool
    """Whether the run is complete."""
    settings: Mapping[str, Json]
    exact_only: list[str]
    """Evaluation sets that share templates with what is taught, so that only exact copies are kept out."""
    baseline: BaselineSummary
    rounds: list[RoundSummary]
    cost: CostSummary


def summarize(connection: duckdb.DuckDBPyConnection) -> Summary:
    runs = connection.execute("SELECT id, settings FROM runs").fetchall()
    if len(runs) != 1:
        raise StoreError(f"the database has {len(runs)} runs instead of one; is it that of a run?")
    [(run, settings)] = runs
    # A round is shown as soon as it has a rationale, a student or an evaluation.
    rounds = connection.execute(
        """
        SELECT round FROM rationales UNION SELECT round FROM rounds
        UNION SELECT round FROM evaluations WHERE round >= 0 ORDER BY round
        """
    ).fetchall()
    growth = grow(connection)
    return {
        "run": run,
        "finished": is_finished(connection),
        "settings": _read(settings),
        "exact_only": _exact_only(connection),
        "baseline": {"evaluations": _evaluations(connection, BASELINE_ROUND)},
        "rounds": [_round(connection, number, growth) for (number,) in rounds],
        "cost": summarize_cost(connection),
    }


def _round(connection: duckdb.DuckDBPyConnection, number: int, growth: Growth) -> RoundSummary:
    outcomes = _counts(
        connection,
        "SELECT reason, count(*) FROM outcomes WHERE round = ? GROUP BY reason ORDER BY reason",
        number,
    )
    accepted, failed = outcomes.pop("accepted", 0), outcomes.pop("call_failed", 0)
    bands = _counts(connection, "SELECT band, count(*) FROM probes WHERE round = ? GROUP BY band", number)
    added = growth.added(number).total()
    kept_out = "SELECT kind, count(*) FROM contamination WHERE round = ? GROUP BY kind ORDER BY kind"
    removed = connection.execute("SELECT removed FROM rounds WHERE round = ?", [number]).fetchone()
    return {
        "round": number,
        "problems": growth.before(number).total() + added,
        "added": added,
        "accepted": accepted,
        "quarantined": sum(outcomes.values()),
        "failed": failed,
        "quarantine_reasons": outcomes,
        "removed": _read(removed[0]) if removed else {},
        "kept_out": _counts(connection, kept_out, number),
        "easy": bands.get("easy", 0),
        "mixed": bands.get("mixed", 0),
        "hard": bands.get("hard", 0),
        "evaluations": _evaluations(connection, number),
        "decision": _decision(connection, number),
    }


def _decision(connection: duckdb.DuckDBPyConnection, number: int) -> DecisionSummary | None:
    found = connection.execute(
        "SELECT against, n, gained, lost, p, kept FROM decisions WHERE round = ?", [number]
    ).fetchone()
    if found is None:
        return None
    against, n, gained, lost, p, kept = found
    return {"against": against, "n": n, "gained": gained, "lost": lost, "p": p, "kept": kept}


def _exact_only(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT split, template FROM problems").fetchall()
    evaluated = [(evaluation_name(split), template) for split, template in rows if split not in TAUGHT_SPLITS]
    return sorted({name for name, template in evaluated if shares_templates(template, name)})


def _evaluations(connection: duckdb.DuckDBPyConnection, number: int) -> list[ReadSummary]:
    rows = connection.execute(
        """
        SELECT name, n, correct, low, high, form
        FROM evaluations LEFT JOIN (
            SELECT round, evaluation, avg(form::INTEGER) AS form FROM attempts
            WHERE purpose IN ('baseline', 'evaluation') GROUP BY ALL
        ) AS answers ON answers.round = evaluations.round AND evaluation = name
        WHERE evaluations.round = ? ORDER BY name
        """,
        [number],
    ).fetchall()
    return [
        evaluation_summary(name, Interval(n=n, correct=correct, low=low, high=high), form)
        for name, n, correct, low, high, form in rows
    ]


def evaluation_summary(name: str, found: Interval, form: float | None) -> ReadSummary:
    return {
        "name": name,
        "n": found.n,
        "correct": found.correct,
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "form": form,
    }


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreError(f"{brief(text)} is no JSON object; somebody else wrote this row, or it is damaged")
    return found


def _counts(connection: duckdb.DuckDBPyConnection, query: str, number: int) -> dict[str, int]:
    return dict(connection.execute(query, [number]).fetchall())
