"""Evaluate: the student sits the dev and test sets; the untaught one with worked examples in its prompt."""

from __future__ import annotations

from langgraph.runtime import Runtime

from graph.exam import Exam, Question, config_of, grade, policy_of, sit
from graph.examples import choose_shots
from graph.nodes.report import deliver
from graph.state import UNTAUGHT, RunContext, RunState, RunUpdate
from storage.records import EvaluationRecord, evaluation_name, is_asked


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
        policy=policy_of("single", context.settings.thoughts, samples=1),
        config=context.settings.generate,
        shots=choose_shots(context, planning=context.solver is not None),
    )
    _evaluate(exam, context)
    return {}


def evaluate(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context, settings = runtime.context, runtime.context.settings
    exam = Exam(
        phase="evaluate",
        during=state.round,
        round=state.round,
        purpose="evaluation",
        student=context.student(state),
        model=state.student,
        policy=policy_of(settings.policy, settings.thoughts, settings.policy_samples),
        config=config_of(settings.policy, settings.generate, settings.policy_temperature),
    )
    _evaluate(exam, context)
    deliver(state.round, context)
    return {}


def _evaluate(exam: Exam, context: RunContext) -> None:
    store = context.store
    questions = [
        Question(problem=problem, evaluation=evaluation_name(problem.split))
        for problem in store.problems()
        if is_asked(problem.split)
    ]
    accuracies = grade(exam, questions, sit(exam, questions, context))
    store.add(
        EvaluationRecord.of(accuracy, round=exam.round, name=name) for name, accuracy in accuracies.items()
    )
    context.listener.evaluated(exam.round)
