"""Two students side by side: of two runs, or of two rounds of one.

The paired test is over the problems that both were asked, which are known by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from agents.evaluator import mcnemar
from errors import UsageError
from graph.control import budget_of
from graph.marks import Marked, changes, sat
from graph.nodes.report import delivered
from graph.state import UNTAUGHT
from reporting.precision import paired_by_template, with_templates
from settings import Settings, flat
from storage.folder import open_store
from storage.records import EvaluationRecord, Json
from storage.store import Store
from storage.summary import EvaluationSummary


@dataclass(frozen=True, slots=True)
class Sitting:
    """A student as it sat the evaluation sets of its run."""

    store: Store
    settings: Settings
    round: int
    """That made it; -1 for the student before any teaching."""

    def results(self) -> dict[str, EvaluationRecord]:
        """By the name of the set."""
        return {record.name: record for record in self.store.evaluations(round=self.round)}

    def marks(self, names: list[str]) -> dict[str, dict[str, Marked]]:
        return sat(self.round, self.settings, self.store, names)


class Flip(TypedDict):
    """A problem that one of two students answered rightly."""

    problem: str
    """Its id."""
    question: str
    answer: str
    """Reference answer, exact: `n` or `n/d`, like the values."""
    first: str | None
    """None where the student gave no value."""
    second: str | None
    gained: bool
    """The second student is the one that was right."""


class SetComparison(TypedDict):
    """Two students on one evaluation set."""

    name: str
    first: EvaluationSummary
    second: EvaluationSummary
    shared: int
    """Problems that both were asked; the next fields are about these alone."""
    both: int
    """Right both times."""
    gained: int
    """Right with the second student only."""
    lost: int
    """Right with the first student only."""
    p: float | None
    """Of McNemar's exact test, two-sided; None where no problem is shared."""
    p_by_template: float | None
    """Of the exact sign-flip test over templates, two-sided; None where a shared problem has no template."""
    flipped: list[Flip]


class Side(TypedDict):
    """One of the two runs."""

    folder: str
    run: str
    round: int | None
    """The round whose student is compared; None where the run has delivered none."""
    student: str | None
    """Its path in the run folder; for the untaught student what the setting says."""
    problems: int | None
    """That it was taught; None for the untaught student, like the steps."""
    steps: int | None
    """Of the optimizer, since the untaught student."""


class Difference(TypedDict):
    """A setting, by its keys with dots, or the version of a library."""

    key: str
    first: Json
    second: Json


class Comparison(TypedDict):
    """What `compare --json` prints."""

    first: Side
    second: Side
    settings: list[Difference]
    versions: list[Difference]
    evaluations: list[SetComparison]
    """Of the sets that both have."""
    first_only: list[str]
    """Evaluation sets that the other run does not have."""
    second_only: list[str]


def compare(first: Path, second: Path, *, round: int | None = None) -> Comparison:
    """Compare the students that two runs deliver, or those of one round of both (-1: before any teaching).

    Raises `UsageError` where a folder has no run, or a run no evaluated student of that round.
    """
    stores = open_store(first), open_store(second)
    runs = [store.run() for store in stores]
    settings = [Settings.from_json(run.settings) for run in runs]
    sittings = [
        _sitting(folder, store, each, round)
        for folder, store, each in zip((first, second), stores, settings, strict=True)
    ]
    one, two = (sitting.results().keys() if sitting else set[str]() for sitting in sittings)
    before, now = sittings
    return {
        "first": _side(first, runs[0].id, sittings[0]),
        "second": _side(second, runs[1].id, sittings[1]),
        "settings": differences(settings[0].to_json(), settings[1].to_json()),
        "versions": differences(runs[0].versions, runs[1].versions),
        "evaluations": compare_sittings(before, now) if before and now else [],
        "first_only": sorted(one - two),
        "second_only": sorted(two - one),
    }


def compare_sittings(first: Sitting, second: Sitting) -> list[SetComparison]:
    """By evaluation set that both sat."""
    results = first.results(), second.results()
    names = sorted(results[0].keys() & results[1].keys())
    marks = first.marks(names), second.marks(names)
    return [
        _compare_set(results[0][name], results[1][name], marks[0].get(name, {}), marks[1].get(name, {}))
        for name in names
    ]


def differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> list[Difference]:
    """Where two nested mappings differ; what is not there is None."""
    one, two = dict(flat(first)), dict(flat(second))
    return [
        {"key": key, "first": one.get(key), "second": two.get(key)}
        for key in sorted(one.keys() | two.keys())
        if one.get(key) != two.get(key)
    ]


def worded(value: Json) -> str:
    """A setting as a person writes it."""
    if value is None:
        return "none"
    return ",".join(map(worded, value)) if isinstance(value, list) else str(value)


def _sitting(folder: Path, store: Store, settings: Settings, round: int | None) -> Sitting | None:
    if round is None:
        made = delivered(store)
        return Sitting(store, settings, made.round) if made else None
    known = sorted({record.round for record in store.evaluations()})
    if round not in known:
        raise UsageError(
            f"--round {round}: the run in {str(folder)!r} has evaluated "
            f"{', '.join(map(str, known)) or 'none'} (-1 is the untaught student): give one of these"
        )
    return Sitting(store, settings, round)


def _side(folder: Path, run: str, sitting: Sitting | None) -> Side:
    side: Side = {
        "folder": str(folder),
        "run": run,
        "round": None,
        "student": None,
        "problems": None,
        "steps": None,
    }
    if sitting is None:
        return side
    if sitting.round == UNTAUGHT:
        return {**side, "round": UNTAUGHT, "student": sitting.settings.student}
    students = {record.round: record.student for record in sitting.store.rounds()}
    budget = budget_of(sitting.store, sitting.round)
    return {
        **side,
        "round": sitting.round,
        "student": students[sitting.round],
        "problems": budget.problems,
        "steps": budget.steps,
    }


def _compare_set(
    first: EvaluationRecord, second: EvaluationRecord, before: Mapping[str, Marked], now: Mapping[str, Marked]
) -> SetComparison:
    shared = before.keys() & now.keys()
    gained, lost = changes(before, now)
    return {
        "name": first.name,
        "first": with_templates(_summary(first), before.values()),
        "second": with_templates(_summary(second), now.values()),
        "shared": len(shared),
        "both": sum(before[key].right and now[key].right for key in shared),
        "gained": len(gained),
        "lost": len(lost),
        "p": mcnemar(len(gained), len(lost)) if shared else None,
        "p_by_template": paired_by_template(before, now),
        "flipped": [_flip(before[key], now[key]) for key in (*gained, *lost)],
    }


def _flip(before: Marked, now: Marked) -> Flip:
    return {
        "problem": now.problem.id,
        "question": now.problem.question,
        "answer": str(now.problem.answer),
        "first": None if before.value is None else str(before.value),
        "second": None if now.value is None else str(now.value),
        "gained": now.right,
    }


def _summary(record: EvaluationRecord) -> EvaluationSummary:
    return {
        "name": record.name,
        "n": record.n,
        "correct": record.correct,
        "accuracy": record.accuracy,
        "low": record.low,
        "high": record.high,
    }
