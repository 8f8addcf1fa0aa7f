"""Compares two students: of two runs, or of two rounds of one run.

The paired tests use the problems that both students were asked, matched by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from fdd.agents.statistics import mcnemar
from fdd.domain import UNTAUGHT
from fdd.errors import UsageError
from fdd.reporting.precision import paired_by_template, with_templates
from fdd.rundir.answers import Marked, changes, sat
from fdd.rundir.control import budget_of
from fdd.rundir.delivery import delivered
from fdd.settings import Settings, flat
from fdd.storage.folder import open_store
from fdd.storage.records import EvaluationRecord, Json
from fdd.storage.store import Store
from fdd.storage.summary import EvaluationSummary


@dataclass(frozen=True, slots=True)
class Sitting:
    """A student and its answers to the evaluation sets of its run."""

    store: Store
    settings: Settings
    round: int
    """The round that trained it; -1 for the untaught student."""

    def results(self) -> dict[str, EvaluationRecord]:
        """Returns its evaluations by the name of the set."""
        return {record.name: record for record in self.store.evaluations(round=self.round)}

    def marks(self, names: list[str]) -> dict[str, dict[str, Marked]]:
        return sat(self.round, self.settings, self.store, names)


class Flip(TypedDict):
    """A problem that exactly one of two students answered correctly."""

    problem: str
    """The problem's id."""
    question: str
    answer: str
    """Reference answer, exact: `n` or `n/d`. The values of the students are written the same way."""
    first: str | None
    """The first student's value; None if it gave none."""
    second: str | None
    """The second student's value; None if it gave none."""
    gained: bool
    """True if the second student was right, False if the first was."""


class SetComparison(TypedDict):
    """Two students on one evaluation set."""

    name: str
    first: EvaluationSummary
    second: EvaluationSummary
    shared: int
    """Number of problems that both were asked; the fields below count only these."""
    both: int
    """Both students were right."""
    gained: int
    """Only the second student was right."""
    lost: int
    """Only the first student was right."""
    p: float | None
    """Two-sided p-value of McNemar's exact test; None if no problem is shared."""
    p_by_template: float | None
    """Two-sided p-value of the exact sign-flip test over templates.

    None if no problem is shared, or if a shared problem has no template.
    """
    flipped: list[Flip]


class Side(TypedDict):
    """One of the two runs."""

    folder: str
    run: str
    round: int | None
    """The round whose student is compared; None if the run has delivered none."""
    student: str | None
    """The student's path in the run folder; for the untaught student the value of the setting `student`."""
    problems: int | None
    """Number of problems that it was taught; None for the untaught student."""
    steps: int | None
    """Optimizer steps since the untaught student; None for the untaught student."""


class Difference(TypedDict):
    """A setting (its key path joined by dots) or a library version that differs between the runs."""

    key: str
    first: Json
    second: Json


class Comparison(TypedDict):
    """The object that `compare --json` prints."""

    first: Side
    second: Side
    settings: list[Difference]
    versions: list[Difference]
    evaluations: list[SetComparison]
    """One for each evaluation set that both have."""
    first_only: list[str]
    """Evaluation sets that only the first has."""
    second_only: list[str]
    """Evaluation sets that only the second has."""


def compare(first: Path, second: Path, *, round: int | None = None) -> Comparison:
    """Compares the students that two runs deliver, or their students of one `round` (-1: the untaught ones).

    Raises `UsageError` if a folder has no run, or if a run has no evaluated student of that round.
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
    """Compares two students on each evaluation set that both answered."""
    results = first.results(), second.results()
    names = sorted(results[0].keys() & results[1].keys())
    marks = first.marks(names), second.marks(names)
    return [
        _compare_set(results[0][name], results[1][name], marks[0].get(name, {}), marks[1].get(name, {}))
        for name in names
    ]


def differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> list[Difference]:
    """Returns the keys at which two nested mappings differ; a missing value is None."""
    one, two = dict(flat(first)), dict(flat(second))
    return [
        {"key": key, "first": one.get(key), "second": two.get(key)}
        for key in sorted(one.keys() | two.keys())
        if one.get(key) != two.get(key)
    ]


def worded(value: Json) -> str:
    """Returns a setting's value as a user would write it."""
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
