"""Teach: every problem that is new in this round goes through the inner graph, once a thought."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from langgraph.runtime import Runtime

from domain import content_hash
from errors import ProblemSetError, StoppedError
from graph.journal import call_of
from graph.lesson import LessonContext, LessonState, Try, build_lesson
from graph.state import Progress, RunContext, RunState, RunUpdate
from storage.records import ProblemRecord, RationaleRecord, Record, rationale_id

LESSONS_AT_ONCE = 32
"""Lessons stored in one transaction: what a crash can make the teacher write again."""


def teach(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    lesson = build_lesson().compile()
    pending = [
        (problem, thought)
        for thought in context.settings.thoughts
        for problem in context.store.pending(thought=thought, round=state.round)
    ]

    def give(task: tuple[ProblemRecord, str]) -> list[Record]:
        problem, thought = task
        result = lesson.invoke(
            LessonState(problem=problem, thought=thought),
            context=LessonContext(teacher=context.teacher, verifier=context.verifier),
            version="v2",
        )
        return [row for taken in result.value.tries for row in _rows(taken, problem, thought, state, context)]

    _report(state, context, 0, len(pending))
    with ThreadPoolExecutor(context.settings.workers) as pool:
        for first in range(0, len(pending), LESSONS_AT_ONCE):
            if context.should_stop():
                raise StoppedError("stopped while teaching")
            group = pending[first : first + LESSONS_AT_ONCE]
            context.store.add(row for rows in pool.map(give, group) for row in rows)
            _report(state, context, first + len(group), len(pending))
    return _count(state, context)


def _rows(
    taken: Try, problem: ProblemRecord, thought: str, state: RunState, context: RunContext
) -> list[Record]:
    """The request to the teacher and the text it gave, as stored."""
    teacher, sample = context.teacher, int(taken.repair)
    prompt_hash = content_hash(teacher.prompt_hash(thought), problem.id)
    call = call_of(
        "teacher",
        teacher.name,
        prompt_hash,
        round=state.round,
        seed=context.settings.seed,
        sample=sample,
        answered=bool(taken.reply.text),
        started=taken.reply.started,
        seconds=taken.reply.seconds,
    )
    rationale = RationaleRecord(
        id=rationale_id(
            problem_id=problem.id,
            thought=thought,
            round=state.round,
            agent=teacher.name,
            prompt_hash=prompt_hash,
            sample=sample,
        ),
        problem_id=problem.id,
        thought=thought,
        text=taken.reply.text,
        round=state.round,
        agent=teacher.name,
        reason=taken.verdict.reason,
        value=taken.verdict.value,
        detail=taken.verdict.detail,
        repaired=taken.repair,
        prompt_hash=prompt_hash,
        call_id=call.id,
    )
    return [call, rationale]


def _report(state: RunState, context: RunContext, done: int, total: int) -> None:
    context.listener.advanced(Progress(round=state.round, phase="teach", done=done, total=total))


def _count(state: RunState, context: RunContext) -> RunUpdate:
    taught = {lesson.problem.id for lesson in context.store.training_set(round=state.round)}
    new = context.store.rationales(round=state.round)
    quarantined = {rationale.problem_id for rationale in new} - taught
    if not taught:
        reasons = Counter(rationale.reason for rationale in new if rationale.problem_id in quarantined)
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        raise ProblemSetError(
            f"no problem of {context.settings.problems.name!r} has a usable solution: "
            f"the teacher {context.teacher.name!r} explained none of {len(quarantined)} ({counts}); "
            "give problems with worked solutions"
        )
    return {"problems": len(taught), "quarantined": len(quarantined)}
