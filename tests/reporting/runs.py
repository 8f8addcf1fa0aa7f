"""Builds runs row by row, so that they contain everything that a report can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from fdd.agents.evaluator import band
from fdd.agents.statistics import mcnemar, posterior, wilson
from fdd.domain import Operator, Reason
from fdd.settings import load_settings
from fdd.storage.folder import DATABASE
from fdd.storage.records import (
    AttemptRecord,
    DecisionRecord,
    EvaluationRecord,
    ProbeRecord,
    ProblemRecord,
    Purpose,
    RationaleRecord,
    Record,
    attempt_id,
    evaluation_split,
    rationale_id,
)
from fdd.storage.store import Store
from tests.storage.samples import ROUND, RUN, call, contamination, problem

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> **bold** [a](javascript:alert(3)) `code` $x^2$ "
    "{{ 7 * 7 }} \u202eback\u202c \u200fright\x1b[31m\0 ]]> </svg></div>"
)
"""Must be shown as plain text in every page and picture."""
SET = f"\u202e\0{HOSTILE[:40]}"
"""Name of an evaluation set."""
Answers = Mapping[str, Sequence[int | None]]
"""By evaluation set, a student's answers to its problems 0, 1, ...; the right ones are 100, 101, ..."""


def new_run(folder: Path, **settings: object) -> Store:
    folder.mkdir(parents=True)
    given = {"rounds": 2, "student": "tiny", **settings}
    run = replace(RUN, settings=load_settings(given, environment={}).to_json())
    return Store.create(folder / DATABASE, run)


def evaluation_problem(name: str, number: int, wording: str = "", templates: int = 0) -> ProblemRecord:
    question = f"Question {number} of {name}: how many{wording}?"
    template = str(number % templates) if templates else ""
    return problem(question, 100 + number, split=evaluation_split(name), template=template)


def add_evaluation(
    store: Store, round: int, answers: Answers, *, wording: str = "", templates: int = 0
) -> None:
    """Adds a student's attempts and accuracies, and the row of its round unless it is the untaught one.

    The problems belong to `templates` templates in turn; to none if that is 0.
    """
    records: list[Record] = (
        [] if round < 0 else [replace(ROUND, round=round, student=f"students/round-{round}")]
    )
    for name, values in answers.items():
        problems = [evaluation_problem(name, number, wording, templates) for number in range(len(values))]
        pairs = list(zip(problems, values, strict=True))
        right = wilson(sum(value == each.answer for each, value in pairs), len(pairs))
        records += [*problems, EvaluationRecord.of(right, round=round, name=name)]
        records += [answer(each, value, round, name) for each, value in pairs]
    store.add(records)


def answer(
    to: ProblemRecord, value: int | None, round: int, name: str, thought: str = "pot"
) -> AttemptRecord:
    purpose: Purpose = "baseline" if round < 0 else "evaluation"
    key = attempt_id(problem_id=to.id, round=round, purpose=purpose, evaluation=name, thought=thought)
    reason = Reason.ACCEPTED if value == to.answer else Reason.WRONG_ANSWER if value else Reason.NO_ANSWER
    return AttemptRecord(
        id=key,
        problem_id=to.id,
        round=round,
        purpose=purpose,
        evaluation=name,
        thought=thought,
        text=f"answer = {value}",
        reason=reason,
        value=None if value is None else Fraction(value),
        form=value is not None,
        new_tokens=4,
        finished=True,
        model="m",
        seed=0,
    )


def probed(
    of: ProblemRecord, *, round: int, correct: int, n: int = 4, parent_round: int | None = None
) -> ProbeRecord:
    rate = posterior(correct, n)
    return ProbeRecord(
        problem_id=of.id,
        round=round,
        n=n,
        correct=correct,
        mean=rate.mean,
        low=rate.low,
        high=rate.high,
        band=band(correct, n),
        change=None if parent_round is None else 0.0,
        parent_round=parent_round,
    )


def explained(
    of: ProblemRecord, reason: Reason = Reason.ACCEPTED, *, text: str = "answer = 2"
) -> RationaleRecord:
    return RationaleRecord(
        id=rationale_id(problem_id=of.id, thought="pot", round=of.round, agent="symbolic"),
        problem_id=of.id,
        thought="pot",
        text=text,
        round=of.round,
        agent="symbolic",
        reason=reason,
        value=of.answer if reason.accepted else Fraction(7, 3),
        detail="" if reason.accepted else HOSTILE,
    )


def child(parent: ProblemRecord, number: int, operator: Operator, **more: object) -> ProblemRecord:
    return problem(
        f"Child {number} of {parent.id}: {HOSTILE}?",
        number,
        parent=parent.id,
        operator=operator,
        split="generated",
        round=parent.round + 1,
        agent="symbolic",
        **more,
    )


def full_run(folder: Path) -> Store:
    """Builds a run with two generations of children, an undone round, all verdicts, leaks and model calls."""
    store = new_run(folder, samples=4, teacher="openai:some-model")
    seeds = [problem(f"Seed {n}: {HOSTILE}", n) for n in range(len(Reason))]
    store.add(
        [*seeds, *(explained(seed, reason, text=HOSTILE) for seed, reason in zip(seeds, Reason, strict=True))]
    )
    later = [problem(f"Later seed {n}?", n, round=1) for n in range(6)]
    children = [
        child(seed, n, Operator.HARDER if n >= 3 else Operator.SIMILAR, call_id=None)
        for n, seed in enumerate(seeds[:6])
    ]
    grandchildren = [child(each, 50 + n, Operator.SIMILAR) for n, each in enumerate(children)]
    store.add([*later, *children, *grandchildren])
    store.add([probed(each, round=0, correct=n % 5) for n, each in enumerate((*later, *seeds[:6]))])
    store.add([probed(each, round=0, correct=n % 5, parent_round=0) for n, each in enumerate(children)])
    store.add([probed(each, round=1, correct=0, parent_round=0) for each in grandchildren])
    store.add([probed(later[0], round=1, correct=4)])
    store.add([explained(each) for each in (*later, *children[1:])])
    store.add([explained(children[0], Reason.CALL_FAILED)])
    right: Answers = {"dev": [100, 101, None], SET: [100, 5]}
    add_evaluation(store, -1, {"dev": [None, 5, 5], SET: [None, None]})
    add_evaluation(store, 0, right)
    add_evaluation(store, 1, {"dev": [None, None, None], SET: [None, 101]})
    exam = evaluation_problem("dev", 0)
    store.add(
        [
            DecisionRecord(round=0, against=-1, n=3, gained=2, lost=0, p=mcnemar(2, 0), kept=True),
            DecisionRecord(round=1, against=0, n=3, gained=0, lost=2, p=0.04, kept=False),
            contamination(exam, question=HOSTILE, parent=later[0].id, round=1),
            contamination(exam, question="Seed copy", kind="exact"),
            call(problem_id=seeds[0].id),
            call(1, round=1, agent="synthesizer", paid=False, cost_usd=0.0),
        ]
    )
    return store
