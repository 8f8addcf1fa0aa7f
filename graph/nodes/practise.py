"""Practise: the last student solves problems of the training set, and its right solutions join the set.

The idea of mixing in a student's own verified solutions is from SIKeD (Adarsh et al., arXiv 2410.18574), that
of asking until enough are right from DART-Math (Tong et al., arXiv 2407.13690).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import ceil, inf

from langgraph.runtime import Runtime

from fdd.agents.evaluator import Majority, samples_of
from fdd.domain import Progress
from fdd.graph.exam import Exam, examine
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.answers import Question
from fdd.settings import Settings
from fdd.storage.records import AttemptRecord, ProblemRecord, RationaleRecord, rationale_id

TEMPERATURE = 0.7
"""Sampling temperature. Greedy answers to one problem would all be the same."""


def practise(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context, settings = runtime.context, runtime.context.settings
    context.listener.advanced(Progress(round=state.round, phase="practise", done=0, total=0))
    if settings.self_samples == 0:
        return {}
    asks = samples_of(settings.thoughts[0], settings.self_samples)
    exam = Exam(
        phase="practise",
        during=state.round,
        round=state.round - 1,
        purpose="practice",
        student=context.student(state),
        model=context.student_name(state),
        policy=Majority(asks),
        config=replace(settings.generate, temperature=TEMPERATURE),
    )
    questions = [Question(problem=problem) for problem in choose_problems(state, context)]
    answers: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    at_once = settings.self_right or settings.self_samples
    for first in range(0, settings.self_samples, at_once):
        left = [each for each in questions if not is_enough(answers[each.problem.id], settings)]
        next_ones = replace(exam, policy=Majority(asks[first : first + at_once]))
        for attempt in examine(next_ones, left, context):
            answers[attempt.problem_id].append(attempt)
    context.store.add(choose_rationales([*chain(*answers.values())], state, context))
    lessons = context.store.training_set(round=state.round, thoughts=settings.thoughts)
    return {"problems": len({lesson.problem.id for lesson in lessons})}


def is_enough(answers: Sequence[AttemptRecord], settings: Settings) -> bool:
    """Whether the student need not be asked once more after these answers to one problem."""
    right = sum(attempt.reason.accepted for attempt in answers)
    return bool(answers) and right >= most_right(answers, settings)


def most_right(answers: Sequence[AttemptRecord], settings: Settings) -> float:
    """Returns how many right answers to one problem are taught at most."""
    if settings.self_right is None:
        return inf
    if settings.self_right_by == "problem":
        return settings.self_right
    wrong = sum(not attempt.reason.accepted for attempt in answers)
    return max(1, ceil(settings.self_right * wrong / len(answers)))


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
    the rationales that the training set already has; of each problem at most as many as are wanted.
    """
    answers: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in attempts:
        answers[attempt.problem_id].append(attempt)
    left = {problem: most_right(each, context.settings) for problem, each in answers.items()}
    lessons = context.store.training_set(round=state.round, thoughts=context.settings.thoughts[:1])
    seen = {
        (lesson.problem.id, _squeezed(lesson.rationale.text))
        for lesson in lessons
        # This student's own rationales are here after a crash in this phase, and must be chosen again.
        if lesson.rationale.agent != context.student_name(state)
    }
    for attempt in sorted(attempts, key=lambda attempt: (attempt.problem_id, attempt.sample)):
        form = attempt.problem_id, _squeezed(attempt.text)
        if attempt.reason.accepted and form not in seen and left[attempt.problem_id] > 0:
            seen.add(form)
            left[attempt.problem_id] -= 1
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
