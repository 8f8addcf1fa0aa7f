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
from fdd.reporting.formats import printed
from fdd.reporting.results import paired_by_template, results_of, with_templates
from fdd.reporting.templating import environment
from fdd.rundir.answers import Graded, answers_of, changes
from fdd.rundir.control import budget_of
from fdd.rundir.delivery import delivered
from fdd.settings import Settings, flat
from fdd.storage.folder import open_store
from fdd.storage.records import Json
from fdd.storage.store import Store
from fdd.storage.summary import EvaluationSummary

MOST_FLIPS = 10


@dataclass(frozen=True, slots=True)
class EvaluatedStudent:
    store: Store
    settings: Settings
    round: int
    """The round that trained it; -1 for the untaught student."""

    def results(self) -> dict[str, EvaluationSummary]:
        """Returns its results by evaluation set."""
        found = results_of(self.store.summary())
        return {name: by_round[self.round] for name, by_round in found.items() if self.round in by_round}


class Flip(TypedDict):
    """A problem that exactly one of two students answered correctly."""

    problem: str
    question: str
    answer: str
    """Reference answer, exact: `n` or `n/d`. The values of the students are written the same way."""
    first: str | None
    """The first student's value; None if it gave none. `second` is the same of the second student."""
    second: str | None
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
    """Both were right; `gained`: only the second; `lost`: only the first."""
    gained: int
    lost: int
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
    """Number of problems that it was taught; None for the untaught student, as are its `steps`."""
    steps: int | None
    """Optimizer steps since the untaught student."""


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
    """Evaluation sets that only the first has; `second_only` those of the second."""
    second_only: list[str]


def compare(
    first: Path, second: Path, *, round: int | None = None, across_backends: bool = False
) -> Comparison:
    """Compares the students that two runs deliver, or their students of one `round` (-1: the untaught ones).

    Raises `UsageError` if a folder has no run, if a run has no evaluated student of that round, or if the
    answers of the runs were written by different backends, unless `across_backends` allows that.
    """
    folders = (first, second)
    stores = [open_store(folder) for folder in folders]
    runs = [store.run() for store in stores]
    settings = [Settings.from_json(run.settings) for run in runs]
    backends = [each.generate.backend for each in settings]
    if backends[0] != backends[1] and not across_backends:
        raise UsageError(
            f"{backends[0]} wrote the answers of {str(first)!r}, and {backends[1]} those of {str(second)!r}: "
            "the same student can answer differently with the two; give --across-backends to compare them "
            "nevertheless"
        )
    before, now = map(_student, folders, stores, settings, (round, round))
    one, two = (student.results().keys() if student else set[str]() for student in (before, now))
    return {
        "first": _side(first, runs[0].id, before),
        "second": _side(second, runs[1].id, now),
        "settings": differences(settings[0].to_json(), settings[1].to_json()),
        "versions": differences(runs[0].versions, runs[1].versions),
        "evaluations": compare_students(before, now) if before and now else [],
        "first_only": sorted(one - two),
        "second_only": sorted(two - one),
    }


def compare_students(first: EvaluatedStudent, second: EvaluatedStudent) -> list[SetComparison]:
    """Compares two students on each evaluation set that both answered."""
    results = first.results(), second.results()
    names = sorted(results[0].keys() & results[1].keys())
    marks = [answers_of(student.round, student.settings, student.store, names) for student in (first, second)]
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


def as_text(found: Comparison, *, chosen: bool) -> str:
    """Formats a comparison for the terminal, with at most `MOST_FLIPS` flipped problems of each set.

    `chosen` says that each student is its run's best on dev, which adds a note.
    """
    template = environment("fdd.reporting", printed, html=False).get_template("comparison.txt")
    return template.render(found=found, chosen=chosen, most_flips=MOST_FLIPS)


def _student(folder: Path, store: Store, settings: Settings, round: int | None) -> EvaluatedStudent | None:
    if round is None:
        made = delivered(store)
        return EvaluatedStudent(store, settings, made.round) if made else None
    known = sorted({record.round for record in store.evaluations()})
    if round not in known:
        raise UsageError(
            f"--round {round}: the run in {str(folder)!r} has evaluated "
            f"{', '.join(map(str, known)) or 'none'} (-1 is the untaught student): give one of these"
        )
    return EvaluatedStudent(store, settings, round)


def _side(folder: Path, run: str, student: EvaluatedStudent | None) -> Side:
    side = Side(folder=str(folder), run=run, round=None, student=None, problems=None, steps=None)
    if student is None:
        return side
    if student.round == UNTAUGHT:
        return {**side, "round": UNTAUGHT, "student": student.settings.student}
    paths = {record.round: record.student for record in student.store.rounds()}
    budget = budget_of(student.store, student.round)
    return {
        **side,
        "round": student.round,
        "student": paths[student.round],
        "problems": budget.problems,
        "steps": budget.steps,
    }


def _compare_set(
    first: EvaluationSummary,
    second: EvaluationSummary,
    before: Mapping[str, Graded],
    now: Mapping[str, Graded],
) -> SetComparison:
    shared = before.keys() & now.keys()
    gained, lost = changes(before, now)
    return {
        "name": first["name"],
        "first": with_templates(first, before.values()),
        "second": with_templates(second, now.values()),
        "shared": len(shared),
        "both": sum(before[key].right and now[key].right for key in shared),
        "gained": len(gained),
        "lost": len(lost),
        "p": mcnemar(len(gained), len(lost)) if shared else None,
        "p_by_template": paired_by_template(before, now),
        "flipped": [_flip(before[key], now[key]) for key in (*gained, *lost)],
    }


def _flip(before: Graded, now: Graded) -> Flip:
    return {
        "problem": now.problem.id,
        "question": now.problem.question,
        "answer": str(now.problem.answer),
        "first": None if before.value is None else str(before.value),
        "second": None if now.value is None else str(now.value),
        "gained": now.right,
    }
