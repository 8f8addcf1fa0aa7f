"""Probe: measures how well the latest student solves single problems.

`probe` asks siblings: variants of the seeds that are never taught. The answers make the skill profile, which
decides what is written next. With `--allocation each` it asks the seeds held back for the next round and the
children taught in this one. `probe_children` asks new children before they are taught: `--probe-children`
compares each with its parent, and with `--overgenerate`, `graph.surplus` chooses those that are taught.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from langgraph.runtime import Runtime

from fdd.agents.evaluator import Majority, band, samples_of
from fdd.agents.statistics import posterior
from fdd.domain import Band, Progress
from fdd.graph.curriculum import write_siblings_of_grown_skills
from fdd.graph.exam import Exam, examine, probing
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.graph.surplus import leave_out_surplus
from fdd.rundir.answers import Question
from fdd.storage.records import SIBLING, AttemptRecord, ProbeRecord, ProblemRecord


def probe(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    if context.settings.adds != "written":
        context.listener.advanced(Progress(round=state.round, phase="probe", done=0, total=0))
        return {}
    if context.settings.grow_skills:
        context.store.add(write_siblings_of_grown_skills(context.store, state.round, context.settings))
    if context.settings.allocation != "each":
        # A seed that was held back, for want of variants, is asked in every round.
        siblings = context.store.problems(splits=[SIBLING])
        asked = [each for each in siblings if each.round == state.round or each.parent is None]
        bands = Counter(_probe("probe", state.round, asked, state, context))
        return {"easy": bands[Band.EASY], "hard": bands[Band.HARD]}
    problems = context.store.problems(splits=["seed"], round=state.round + 1)
    taught = {lesson.problem.id: lesson.problem for lesson in context.store.training_set(round=state.round)}
    problems += [
        problem
        for problem in taught.values()
        if context.settings.reprobe or (problem.parent and problem.round == state.round)
    ]
    bands = Counter(_probe("probe", state.round, problems, state, context))
    return {"easy": bands[Band.EASY], "hard": bands[Band.HARD]}


def probe_children(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Asks the student of the round before, which has not been trained on these children."""
    context, settings = runtime.context, runtime.context.settings
    if not settings.probe_children and settings.overgenerate == 1:
        context.listener.advanced(Progress(round=state.round, phase="probe_children", done=0, total=0))
        return {}
    taught = {lesson.problem.id: lesson.problem for lesson in context.store.training_set(round=state.round)}
    children = [problem for problem in taught.values() if problem.parent and problem.round == state.round]
    _probe("probe_children", state.round - 1, children, state, context)
    if settings.overgenerate > 1:
        leave_out_surplus(children, state, context)
    return {}


def _probe(
    phase: str,
    round: int,
    problems: Iterable[ProblemRecord],
    state: RunState,
    context: RunContext,
) -> list[Band]:
    settings = context.settings
    exam = Exam(
        phase=phase,
        during=state.round,
        round=round,
        purpose="probe",
        student=context.student(state),
        model=context.student_name(state),
        policy=Majority(samples_of(settings.thoughts[0], settings.samples)),
        config=probing(settings),
    )
    by_id = {problem.id: problem for problem in problems}
    attempts: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in examine(exam, [Question(problem=problem) for problem in by_id.values()], context):
        attempts[attempt.problem_id].append(attempt)
    records = {key: _record(by_id[key].id, round, attempts[key]) for key in sorted(attempts)}
    earlier = {record.problem_id: record for record in context.store.probes() if record.round <= round}
    # A parent may have been probed in this exam, or in an earlier round by an earlier student.
    known = earlier | records
    context.store.add(
        _compared(record, known.get(by_id[key].parent or "")) for key, record in records.items()
    )
    return [record.band for record in records.values()]


def _record(problem_id: str, round: int, attempts: list[AttemptRecord]) -> ProbeRecord:
    n, correct = len(attempts), sum(attempt.reason.accepted for attempt in attempts)
    rate = posterior(correct, n)
    return ProbeRecord(
        problem_id=problem_id,
        round=round,
        n=n,
        correct=correct,
        mean=rate.mean,
        low=rate.low,
        high=rate.high,
        band=band(correct, n),
    )


def _compared(record: ProbeRecord, parent: ProbeRecord | None) -> ProbeRecord:
    if parent is None:
        return record
    return replace(record, change=record.mean - parent.mean, parent_round=parent.round)
