"""Evaluate: the student sits the dev and test sets; a round that did harm on the dev set is undone.

The untaught student sits them first, with worked examples in its prompt.
"""

from __future__ import annotations

from langgraph.runtime import Runtime

from agents.evaluator import is_harm, mcnemar
from agents.policy import Policy
from domain import Stopwatch, Timing
from graph.exam import Exam, Question, config_of, grade, mark, policy_of, sit
from graph.examples import choose_shots
from graph.nodes.report import deliver
from graph.spans import Stage
from graph.state import UNTAUGHT, RunContext, RunState, RunUpdate
from problems.contamination import DEV
from settings import Settings
from storage.records import DecisionRecord, EvaluationRecord, SpanRecord, evaluation_name, is_asked
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
        policy=_policy(UNTAUGHT, context.settings),
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
        policy=_policy(state.round, settings),
        config=config_of(settings.policy, settings.generate, settings.policy_temperature),
    )
    _evaluate(exam, context)
    watch = Stopwatch()
    decision = decide(state.round, context)
    context.store.add([decision, *_steps(decision, watch.read())])
    context.listener.evaluated(state.round)
    deliver(context)
    kept = context.store.kept()
    return {"student": kept[-1].student if kept else ""}


def decide(round: int, context: RunContext) -> DecisionRecord:
    """Compare the student of this round with the one kept before it, problem by problem of the dev set."""
    against = max((each.round for each in context.store.kept() if each.round < round), default=UNTAUGHT)
    before, now = (_right(each, context.settings, context.store) for each in (against, round))
    gained, lost = len(now - before), len(before - now)
    return DecisionRecord(
        round=round,
        against=against,
        n=len(_questions(context.store, [DEV])),
        gained=gained,
        lost=lost,
        p=mcnemar(gained, lost),
        kept=not is_harm(gained, lost),
    )


def _steps(decision: DecisionRecord, timing: Timing) -> list[SpanRecord]:
    status = "kept" if decision.kept else "undone"
    return Stage(decision.round, "evaluate").step("evaluator", "decide on the round", timing, status=status)


def _right(round: int, settings: Settings, store: Store) -> set[str]:
    """The dev problems that the student of this round answered rightly."""
    attempts = store.attempts(
        round=round, purpose="baseline" if round == UNTAUGHT else "evaluation", evaluation=DEV
    )
    marks = mark(_policy(round, settings), _questions(store, [DEV]), attempts)
    return {problem for problem, right in marks[DEV].items() if right}


def _policy(round: int, settings: Settings) -> Policy:
    """Of evaluations: the untaught student has seen worked examples in one thought only."""
    name = "single" if round == UNTAUGHT else settings.policy
    return policy_of(name, settings.thoughts, settings.policy_samples)


def _questions(store: Store, splits: list[str] | None = None) -> list[Question]:
    return [
        Question(problem=problem, evaluation=evaluation_name(problem.split))
        for problem in store.problems(splits=splits)
        if is_asked(problem.split)
    ]


def _evaluate(exam: Exam, context: RunContext) -> None:
    questions = _questions(context.store)
    accuracies = grade(exam.policy, questions, sit(exam, questions, context))
    context.store.add(
        EvaluationRecord.of(accuracy, round=exam.round, name=name) for name, accuracy in accuracies.items()
    )
