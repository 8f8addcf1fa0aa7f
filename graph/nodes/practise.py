"""Practise: the last student solves problems of the training set, and its right solutions join the set.

The idea of mixing in a student's own verified solutions is from SIKeD (Adarsh et al., arXiv 2410.18574).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from langgraph.runtime import Runtime

from fdd.agents.evaluator import Majority, samples_of
from fdd.domain import Progress
from fdd.graph.exam import Exam, examine
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.answers import Question
from fdd.storage.records import AttemptRecord, ProblemRecord, RationaleRecord, rationale_id

TEMPERATURE = 0.7
"""Sampling temperature. Greedy answers to one problem would all be the same."""


def practise(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context, settings = runtime.context, runtime.context.settings
    context.listener.advanced(Progress(round=state.round, phase="practise", done=0, total=0))
    if settings.self_samples == 0:
        return {}
    exam = Exam(
        phase="practise",
        during=state.round,
        round=state.round - 1,
        purpose="practice",
        student=context.student(state),
        model=context.student_name(state),
        policy=Majority(samples_of(settings.thoughts[0], settings.self_samples)),
        config=replace(settings.generate, temperature=TEMPERATURE),
    )
    questions = [Question(problem=problem) for problem in choose_problems(state, context)]
    attempts = examine(exam, questions, context)
    context.store.add(choose_rationales(attempts, state, context))
    lessons = context.store.training_set(round=state.round, thoughts=settings.thoughts)
    return {"problems": len({lesson.problem.id for lesson in lessons})}


def choose_problems(state: RunState, context: RunContext) -> list[ProblemRecord]:
    """Returns the problems so far whose answers are certain. With `missing`, the default of
    `self_samples_where`, it leaves out those that a teacher explained.

    Rationales of students do not count as explanations, so that a second pass after a crash chooses the same
    problems.
    """
    settings, store = context.settings, context.store
    students = {settings.student, *(record.student for record in store.rounds())}
    taught = [
        lesson for lesson in store.training_set(round=state.round) if lesson.rationale.agent not in students
    ]
    # Only the reference answer decides which of the student's answers join the set, so it must be certain.
    certain = {lesson.problem.id for lesson in taught}
    explained = {lesson.problem.id for lesson in taught if lesson.rationale.thought == settings.thoughts[0]}
    left_out = explained if settings.self_samples_where == "missing" else set()
    return [
        problem
        for problem in store.teachable(round=state.round)
        if (problem.id in certain or not context.is_doubtful(problem)) and problem.id not in left_out
    ]


def choose_rationales(
    attempts: Sequence[AttemptRecord], state: RunState, context: RunContext
) -> Iterator[RationaleRecord]:
    """Yields rationales for the right attempts that differ, apart from whitespace, from each other and from
    the rationales that the training set already has.
    """
    lessons = context.store.training_set(round=state.round, thoughts=context.settings.thoughts[:1])
    seen = {
        (lesson.problem.id, _squeezed(lesson.rationale.text))
        for lesson in lessons
        # This student's own rationales are here after a crash in this phase, and must be chosen again.
        if lesson.rationale.agent != context.student_name(state)
    }
    for attempt in sorted(attempts, key=lambda attempt: (attempt.problem_id, attempt.sample)):
        form = attempt.problem_id, _squeezed(attempt.text)
        if attempt.reason.accepted and form not in seen:
            seen.add(form)
            yield _rationale(attempt, state.round)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _rationale(attempt: AttemptRecord, round: int) -> RationaleRecord:
    key = rationale_id(
        problem_id=attempt.problem_id,
        thought=attempt.thought,
        round=round,
        agent=attempt.model,
        sample=attempt.sample,
    )
    return RationaleRecord(
        id=key,
        problem_id=attempt.problem_id,
        thought=attempt.thought,
        text=attempt.text,
        round=round,
        agent=attempt.model,
        reason=attempt.reason,
        value=attempt.value,
    )
