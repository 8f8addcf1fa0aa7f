"""Evaluate: the student sits the dev and test sets; a round that did harm on the dev set is undone.

The untaught student sits them first, with worked examples in its prompt.
"""

from __future__ import annotations

from langgraph.runtime import Runtime

from agents.evaluator import blind_spot, is_harm, mcnemar
from domain import Stopwatch, Timing
from graph.exam import Exam, config_of, grade, sit
from graph.examples import choose_shots
from graph.marks import asked, changes, policy_at, sat
from graph.nodes.report import deliver
from graph.spans import Stage
from graph.state import UNTAUGHT, RunContext, RunState, RunUpdate
from problems.contamination import DEV
from storage.records import DecisionRecord, EvaluationRecord, SpanRecord
from storage.store import Store


def baseline(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """What the student can do before any teaching, when it is shown a few verified rationales."""
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
    _evaluate(exam, context)
    context.listener.evaluated(UNTAUGHT)
    return {}


def evaluate(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Goes on with this round's student, or with the one before where the round is undone."""
    context, settings = runtime.context, runtime.context.settings
    exam = Exam(
        phase="evaluate",
        during=state.round,
        round=state.round,
        purpose="evaluation",
        student=context.student(state),
        model=state.student,
        policy=policy_at(state.round, settings),
        config=config_of(settings.policy, settings.generate, settings.policy_temperature),
    )
    _evaluate(exam, context)
    watch = Stopwatch()
    decision = decide(state.round, context)
    context.store.add([decision, *_steps(decision, watch.read())])
    if warning := _warning(decision, context.store):
        context.listener.noticed(warning)
    context.listener.evaluated(state.round)
    deliver(context)
    kept = context.store.kept()
    return {"student": kept[-1].student if kept else ""}


def decide(round: int, context: RunContext) -> DecisionRecord:
    """Compare the student of this round with the one kept before it, problem by problem of the dev set."""
    against = max((each.round for each in context.store.kept() if each.round < round), default=UNTAUGHT)
    before, now = (sat(each, context.settings, context.store, [DEV])[DEV] for each in (against, round))
    gained, lost = changes(before, now)
    return DecisionRecord(
        round=round,
        against=against,
        n=len(now),
        gained=len(gained),
        lost=len(lost),
        p=mcnemar(len(gained), len(lost)),
        kept=not is_harm(len(gained), len(lost)),
    )


def _warning(decision: DecisionRecord, store: Store) -> str:
    """What the dev set cannot see, said once: after the first round that follows a taught student."""
    if [each.round for each in store.decisions() if each.against != UNTAUGHT] != [decision.round]:
        return ""
    [right] = [each.correct for each in store.evaluations(round=decision.against) if each.name == DEV]
    return blind_spot(decision.n, right)


def _steps(decision: DecisionRecord, timing: Timing) -> list[SpanRecord]:
    status = "kept" if decision.kept else "undone"
    return Stage(decision.round, "evaluate").step("evaluator", "decide on the round", timing, status=status)


def _evaluate(exam: Exam, context: RunContext) -> None:
    questions = asked(context.store)
    accuracies = grade(exam.policy, questions, sit(exam, questions, context))
    context.store.add(
        EvaluationRecord.of(accuracy, round=exam.round, name=name) for name, accuracy in accuracies.items()
    )
