"""Evaluate: the student sits the dev and test sets; the untaught one with worked examples in its prompt."""

from __future__ import annotations

import random
from collections import defaultdict

from langgraph.runtime import Runtime

from agents.evaluator import wilson
from graph.exam import Exam, Question, sit
from graph.nodes.fine_tune import as_example
from graph.state import UNTAUGHT, RunContext, RunState, RunUpdate
from storage.records import TAUGHT_SPLITS, EvaluationRecord, evaluation_name
from training.tasks import Example


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
        thought=context.settings.thoughts[0],
        config=context.settings.generate,
        shots=choose_shots(state, context),
    )
    _evaluate(exam, context)
    return {}


def evaluate(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    exam = Exam(
        phase="evaluate",
        during=state.round,
        round=state.round,
        purpose="evaluation",
        student=context.student(state),
        model=state.student,
        thought=context.settings.thoughts[0],
        config=context.settings.generate,
    )
    _evaluate(exam, context)
    return {}


def choose_shots(state: RunState, context: RunContext) -> tuple[Example, ...]:
    """Accepted rationales of the first set, drawn from the shorter half so that the prompt stays small."""
    name = context.settings.thoughts[0]
    lessons = [
        lesson for lesson in context.store.training_set(round=state.round) if lesson.rationale.thought == name
    ]
    lessons.sort(
        key=lambda lesson: (len(lesson.problem.question) + len(lesson.rationale.text), lesson.problem.id)
    )
    short = lessons[: max(context.settings.shots, len(lessons) // 2)]
    rng = random.Random(f"shots {context.settings.seed}")
    return tuple(as_example(lesson) for lesson in rng.sample(short, min(context.settings.shots, len(short))))


def _evaluate(exam: Exam, context: RunContext) -> None:
    store = context.store
    questions = [
        Question(problem=problem, evaluation=evaluation_name(problem.split))
        for problem in store.problems()
        if problem.split not in TAUGHT_SPLITS
    ]
    marks: defaultdict[str, list[bool]] = defaultdict(list)
    for attempt in sit(exam, questions, context):
        marks[attempt.evaluation].append(attempt.reason.accepted)
    store.add(
        EvaluationRecord.of(wilson(sum(right), len(right)), round=exam.round, name=name)
        for name, right in sorted(marks.items())
    )
    context.listener.evaluated(exam.round)
