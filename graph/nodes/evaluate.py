"""Evaluates students: on the dev set after every training, on the test sets when a student is delivered.

A round that did harm on the dev set is undone. The untaught student answers a part of every set, with worked
examples in its prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

from langgraph.runtime import Runtime

from fdd.agents.evaluator import blind_spot, is_harm
from fdd.agents.statistics import mcnemar
from fdd.domain import UNTAUGHT, Stopwatch, Timing
from fdd.graph.exam import Exam, choose_shots, config_of, examine
from fdd.graph.spans import Stage
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.problems.contamination import DEV
from fdd.rundir.answers import Question, answers_of, asked, changes, choose, grade, policy_at
from fdd.rundir.delivery import deliver, delivered
from fdd.storage.records import DecisionRecord, DriftRecord, EvaluationRecord, SpanRecord
from fdd.storage.store import Store
from fdd.training.tasks import DriftTask


def baseline(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Evaluates the student before any teaching, with a few verified rationales in its prompt."""
    context = runtime.context
    exam = Exam(
        phase="baseline",
        during=state.round,
        round=UNTAUGHT,
        purpose="baseline",
        student=context.base,
        model=context.settings.student,
        policy=policy_at(UNTAUGHT, context.settings),
        config=context.settings.generate,
        shots=choose_shots(context, planning=context.solver is not None),
    )
    by_set: defaultdict[str, list[Question]] = defaultdict(list)
    for question in asked(context.store):
        by_set[question.evaluation].append(question)
    size = context.settings.baseline_size
    _evaluate(exam, [each for questions in by_set.values() for each in questions[:size]], context)
    context.listener.evaluated(UNTAUGHT)
    return {}


def evaluate(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Evaluates this round's student on the dev set. Undoes the round if the student got worse."""
    context = runtime.context
    exam = _exam("evaluate", state.round, state.student, state, context)
    _evaluate(exam, asked(context.store, [DEV]), context)
    watch = Stopwatch()
    decision = decide(state.round, context)
    context.store.add([decision, *_steps(decision, watch.read())])
    if warning := _warning(decision, context.store):
        context.listener.noticed(warning)
    context.listener.evaluated(state.round)
    deliver(context.folder, context.store, context.settings.thoughts)
    kept = context.store.kept()
    return {"student": kept[-1].student if kept else ""}


def test(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Evaluates the delivered student on the test sets, and measures how far it has moved from the untaught
    one; does nothing if no round was kept.
    """
    context = runtime.context
    if record := delivered(context.store):
        exam = _exam("test", record.round, record.student, state, context)
        questions = [each for each in asked(context.store) if each.evaluation != DEV]
        _evaluate(exam, questions, context)
        if not context.store.drift():
            student = context.folder / record.student
            task = DriftTask(before=context.base, after=student, device=context.settings.device)
            found = context.engine.run(task, lambda _: None, context.should_stop)
            context.store.add([DriftRecord(round=record.round, **asdict(found))])
        context.listener.evaluated(record.round)
    return {}


def decide(round: int, context: RunContext) -> DecisionRecord:
    """Compares this round's student with the last one kept before it, by McNemar's test on the dev set."""
    against = max((each.round for each in context.store.kept() if each.round < round), default=UNTAUGHT)
    before, now = (answers_of(each, context.settings, context.store, [DEV])[DEV] for each in (against, round))
    gained, lost = changes(before, now)
    return DecisionRecord(
        round=round,
        against=against,
        n=len(before.keys() & now.keys()),
        gained=len(gained),
        lost=len(lost),
        p=mcnemar(len(gained), len(lost)),
        kept=not is_harm(len(gained), len(lost)),
    )


def _warning(decision: DecisionRecord, store: Store) -> str:
    """Warns once if the dev set is too small: in the first round whose student follows a taught one."""
    if [each.round for each in store.decisions() if each.against != UNTAUGHT] != [decision.round]:
        return ""
    [right] = [each.correct for each in store.evaluations(round=decision.against) if each.name == DEV]
    return blind_spot(decision.n, right)


def _steps(decision: DecisionRecord, timing: Timing) -> list[SpanRecord]:
    status = "kept" if decision.kept else "undone"
    return Stage(decision.round, "evaluate").step("evaluator", "decide on the round", timing, status=status)


def _exam(phase: str, round: int, student: str, state: RunState, context: RunContext) -> Exam:
    settings = context.settings
    return Exam(
        phase=phase,
        during=state.round,
        round=round,
        purpose="evaluation",
        student=context.folder / student,
        model=student,
        policy=policy_at(round, settings),
        config=config_of(settings.policy, settings.generate, settings.policy_temperature),
    )


def _evaluate(exam: Exam, questions: Sequence[Question], context: RunContext) -> None:
    accuracies = grade(choose(exam.policy, questions, examine(exam, questions, context)))
    context.store.add(
        EvaluationRecord.of(accuracy, round=exam.round, name=name) for name, accuracy in accuracies.items()
    )
