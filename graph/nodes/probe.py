"""Probe: how well the latest student solves problems that it was not trained on.

`probe` asks the seeds held back for the next round, whose bands decide what is written; `probe_children` asks the
problems that were written, so that each can be compared with its parent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from langgraph.runtime import Runtime

from agents.evaluator import band, posterior
from domain import Band
from graph.exam import Exam, Question, sampled, sit
from graph.state import RunContext, RunState, RunUpdate
from storage.records import AttemptRecord, ProbeRecord, ProblemRecord


def probe(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    problems = context.store.problems(splits=["seed"], round=state.round + 1)
    if context.settings.reprobe:
        problems += [
            problem
            for problem in context.store.problems(splits=["seed", "generated"])
            if problem.round <= state.round
        ]
    bands = Counter(_probe("probe", state.round, problems, state, context))
    return {"easy": bands[Band.EASY], "hard": bands[Band.HARD]}


def probe_children(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Asks the student of the round before, which has not been trained on them."""
    context = runtime.context
    taught = {lesson.problem.id: lesson.problem for lesson in context.store.training_set(round=state.round)}
    children = [problem for problem in taught.values() if problem.parent and problem.round == state.round]
    _probe("probe_children", state.round - 1, children, state, context)
    return {}


def _probe(
    phase: str,
    round: int,  # noqa: A002
    problems: Iterable[ProblemRecord],
    state: RunState,
    context: RunContext,
) -> list[Band]:
    exam = Exam(
        phase=phase,
        round=round,
        purpose="probe",
        student=context.student(state),
        model=state.student,
        thought=context.settings.thoughts[0],
        config=sampled(context),
        samples=context.settings.samples,
    )
    by_id = {problem.id: problem for problem in problems}
    attempts: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in sit(exam, [Question(problem=problem) for problem in by_id.values()], context):
        attempts[attempt.problem_id].append(attempt)
    before = {record.problem_id: record for record in context.store.probes() if record.round <= round}
    records = [_record(by_id[key], round, attempts[key], before) for key in sorted(attempts)]
    context.store.add(records)
    return [record.band for record in records]


def _record(
    problem: ProblemRecord,
    round: int,  # noqa: A002
    attempts: list[AttemptRecord],
    before: dict[str, ProbeRecord],
) -> ProbeRecord:
    """`before` holds the latest probe of each problem: that of the parent gives the change."""
    n, correct = len(attempts), sum(attempt.reason.accepted for attempt in attempts)
    rate = posterior(correct, n)
    parent = before.get(problem.parent or "")
    return ProbeRecord(
        problem_id=problem.id,
        round=round,
        n=n,
        correct=correct,
        mean=rate.mean,
        low=rate.low,
        high=rate.high,
        band=band(correct, n),
        change=None if parent is None else rate.mean - parent.mean,
        parent_round=None if parent is None else parent.round,
    )
