"""Teach: runs the inner graph on every problem that is new in this round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from langgraph.runtime import Runtime

from fdd.agents.synthesizer import Attempt
from fdd.agents.teacher import Teacher
from fdd.domain import Progress, Reason, Verdict, content_hash
from fdd.errors import FddError, ProblemSetError, ProviderError, command_line
from fdd.graph.curriculum import attempts_to_show, round_budget
from fdd.graph.journal import call_without_model, calls_to_models, transcripts
from fdd.graph.lesson import LessonContext, LessonState, Try, build_lesson
from fdd.graph.plan import announce, explaining_tasks, solving_tasks
from fdd.graph.spans import RowBuffer, Stage, enclosing
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.storage.records import (
    CallRecord,
    ProblemRecord,
    RationaleRecord,
    Record,
    SpanRecord,
    phase_id,
    rationale_id,
    span_id,
)

LESSONS_AT_ONCE = 32
"""Most lessons stored in one transaction, which is how many a crash can make the teacher write again."""
LESSON = "lesson"
"""Name of a lesson's span."""

BETTER_TEACHER = "name another model as --teacher"
ADVICE: Mapping[Reason, str] = {
    Reason.CALL_FAILED: "make its server answer such requests",
    Reason.TRUNCATED: "give a higher --max-reply-tokens",
    Reason.MALFORMED: "look at what it wrote, and change the model or its settings",
}
"""Advice if a model explained nothing, by the most frequent reason."""


def teach(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    if state.round == 0:
        announce(state.round, context)
    pending = context.store.pending(round=state.round)
    settings = context.settings
    if state.round == 0 and settings.taught is not None:
        _teach_as_many(settings.taught, pending, state, context)
    elif state.round and settings.adds == "seeds":
        before = context.store.training_set(round=state.round - 1, thoughts=settings.thoughts)
        known = len({lesson.problem.id for lesson in before})
        _teach_as_many(known + round_budget(context.store, settings), pending, state, context)
    else:
        context.agents.run(_teach, pending, state, context)
    return _count(state, context)


def _teach_as_many(
    wanted: int, pending: Sequence[ProblemRecord], state: RunState, context: RunContext
) -> None:
    """Gives lessons, in the order of the problems, until `wanted` of them have an accepted rationale.

    Never starts more lessons than are missing, so that an interruption does not change which problems are
    taught. Raises `ProblemSetError` if there are too few problems.
    """
    while missing := wanted - len(_taught(state, context)):
        if missing > len(pending):
            raise ProblemSetError(
                f"{context.settings.problems.name!r} has too few problems: {wanted} are to be taught, and "
                f"{missing - len(pending)} of them are missing at least; a control of `--kind repeat` "
                "needs no further ones"
            )
        now, pending = pending[:missing], pending[missing:]
        context.agents.run(_teach, now, state, context)


async def _teach(pending: Sequence[ProblemRecord], state: RunState, context: RunContext) -> None:
    """Gives a lesson on each problem. Finished lessons are stored even if others fail."""
    lesson, settings = build_lesson().compile(), context.settings
    shown: Mapping[str, Sequence[Attempt]] = {}
    if settings.explain_attempts:
        shown = attempts_to_show(context.store, state.round - 1, settings)

    async def give(problem: ProblemRecord) -> list[Record]:
        doubtful = context.is_doubtful(problem)
        tasks = solving_tasks(settings) if doubtful else explaining_tasks(settings)
        if problem.id in shown and not doubtful:
            tasks = tuple(replace(task, attempt=shown[problem.id][0]) for task in tasks)
        result = await lesson.ainvoke(
            LessonState(problem=problem, tasks=tasks),
            context=LessonContext(
                teacher=context.agents.teacher,
                verifier=context.verifier,
                solver=context.agents.judge if doubtful else None,
                expert=context.agents.expert,
                agreement=settings.agreement,
            ),
            version="v2",
        )
        return _rows(result.value, problem, state, context)

    done, buffer = 0, RowBuffer(context.store, LESSONS_AT_ONCE)
    _report(state, context, done, len(pending))
    try:
        async for rows in context.agents.finished(pending, give, context.should_stop):
            done += 1
            buffer.add(rows)
            _report(state, context, done, len(pending))
    finally:
        buffer.flush()


def _rows(given: LessonState, problem: ProblemRecord, state: RunState, context: RunContext) -> list[Record]:
    """Builds the rows of a lesson: calls, transcripts, rationales and spans."""
    stage = Stage(state.round, "teach")
    lesson = span_id(phase_id(state.round, stage.phase), LESSON, problem.id)
    rows: list[Record] = []
    spans: list[SpanRecord] = []
    for taken in given.tries:
        calls, rationale = _written(taken, given.verdict(taken), problem, state, context)
        rows += [*calls, *transcripts(taken.reply.calls, calls[: len(taken.reply.calls)]), rationale]
        spans += _spans(taken, calls, rationale, stage, lesson)
    if spans:
        rows += spans
        rows.append(
            stage.span(
                "problem",
                LESSON,
                enclosing(spans),
                status=given.outcome,
                problem=problem.id,
                subject=problem.id,
            )
        )
    return rows


def _spans(
    taken: Try, calls: Sequence[CallRecord], rationale: RationaleRecord, stage: Stage, lesson: str
) -> list[SpanRecord]:
    reply = taken.reply
    verb = "repair" if taken.repair else "solve" if calls[-1].agent == "verifier" else "explain"
    return [
        *stage.step(
            calls[-1].agent,
            f"{verb} {taken.thought}",
            reply.timing,
            calls,
            status=calls[-1].status,
            parent=lesson,
            problem=rationale.problem_id,
            subject=rationale.id,
        ),
        *stage.judged(
            taken.verdict,
            taken.thought,
            parent=lesson,
            problem=rationale.problem_id,
            subject=rationale.id,
        ),
    ]


def _written(
    taken: Try, verdict: Verdict, problem: ProblemRecord, state: RunState, context: RunContext
) -> tuple[list[CallRecord], RationaleRecord]:
    """Builds the rows of the requests that one try took, and of its rationale."""
    agents, reply = context.agents, taken.reply
    author: Teacher = agents.judge if context.is_doubtful(problem) and agents.judge else agents.teacher
    if reply.task.by_expert and agents.expert:
        author = agents.expert
    seen = [reply.task.attempt.text] if reply.task.attempt else []
    prompt_hash = content_hash(author.prompt_hash(taken.thought), problem.id, *seen)
    # Even numbers are first tries and odd numbers their repairs, so that both get different ids. Where there
    # is an expert, the teacher's tasks have the sample 0.
    sample = 2 * reply.task.sample + taken.repair + 2 * reply.task.by_expert
    calls = calls_to_models(reply.calls, round=state.round, problem_id=problem.id) or [
        _call(taken, author.name, prompt_hash, sample, problem, state, context)
    ]
    rationale = RationaleRecord(
        id=rationale_id(
            problem_id=problem.id,
            thought=taken.thought,
            round=state.round,
            agent=author.name,
            prompt_hash=prompt_hash,
            sample=sample,
        ),
        problem_id=problem.id,
        thought=taken.thought,
        text=reply.text,
        round=state.round,
        agent=author.name,
        reason=verdict.reason,
        value=verdict.value,
        detail=verdict.detail,
        repaired=taken.repair,
        prompt_hash=prompt_hash,
        call_id=calls[-1].id,
    )
    return calls, rationale


def _call(
    taken: Try,
    name: str,
    prompt_hash: str,
    sample: int,
    problem: ProblemRecord,
    state: RunState,
    context: RunContext,
) -> CallRecord:
    return call_without_model(
        "expert" if taken.reply.task.by_expert else "teacher",
        name,
        prompt_hash,
        round=state.round,
        seed=context.settings.seed,
        sample=sample,
        answered=bool(taken.reply.text),
        timing=taken.reply.timing,
        problem_id=problem.id,
    )


def _report(state: RunState, context: RunContext, done: int, total: int) -> None:
    progress = Progress(
        round=state.round, phase="teach", done=done, total=total, note=context.agents.expenses()
    )
    context.listener.advanced(progress)


def _taught(state: RunState, context: RunContext) -> set[str]:
    """Returns the ids of the problems in this round's training set."""
    lessons = context.store.training_set(round=state.round, thoughts=context.settings.thoughts)
    return {lesson.problem.id for lesson in lessons}


def _count(state: RunState, context: RunContext) -> RunUpdate:
    taught = _taught(state, context)
    new = context.store.rationales(round=state.round)
    quarantined = {rationale.problem_id for rationale in new} - taught
    if not taught:
        raise _nothing_taught([each for each in new if each.problem_id in quarantined], context)
    return {"problems": len(taught), "quarantined": len(quarantined)}


def _nothing_taught(lost: Sequence[RationaleRecord], context: RunContext) -> FddError:
    """Builds the error for a training set without problems: what became of them, and what to do about it."""
    reasons = Counter(rationale.reason for rationale in lost)
    counts = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    problems, teacher = {each.problem_id for each in lost}, context.agents.teacher.name
    found = (
        f"no problem of {context.settings.problems.name!r} has a usable solution: "
        f"the teacher {teacher!r} explained none of {len(problems)} ({counts})"
    )
    if context.settings.roles()["teacher"] not in context.agents.clients:
        return ProblemSetError(f"{found}; give problems with worked solutions")
    main = max(reasons, key=reasons.__getitem__)
    detail, _ = Counter(each.detail for each in lost if each.reason is main).most_common(1)[0]
    return ProviderError(
        f"{found}, most often: {detail}; {ADVICE.get(main, BETTER_TEACHER)}, then start a new run; "
        f"`{command_line('trace', context.folder)}` shows what was asked"
    )
