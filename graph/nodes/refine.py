"""Refine: trains the fine-tuned student a second time, on its own answers or to follow a larger model.

This ends with the round: the next fine-tuning goes on from the optimizer's state of the one before it.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from langgraph.runtime import Runtime

from fdd.agents.thoughts import thought
from fdd.domain import Progress
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.examples import as_example
from fdd.storage.records import AttemptRecord, ProblemRecord, RefinementRecord
from fdd.storage.store import Lesson
from fdd.training.tasks import Event, Exercise, Notice, OnEvent, Pair, Refined, RefineStep, RefineTask

FINE_TUNED = "-fine-tuned"
"""Ending of a student's folder until its second training is done."""
CHECKPOINTS = "refinement"
"""Folder in the run folder for the checkpoints of an unfinished second training."""


def refine(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    context.listener.advanced(Progress(round=state.round, phase="refine", done=0, total=0))
    [trained] = [each for each in context.store.rounds() if each.round == state.round]
    if context.settings.refine.method == "none" or not trained.steps:
        return {}
    before, after = context.folder / f"{state.student}{FINE_TUNED}", context.folder / state.student
    record = next((each for each in context.store.refinements() if each.round == state.round), None)
    if record is None:
        record = _refine(before, after, state, context)
        context.store.add([record])
    if before.exists():
        shutil.rmtree(before) if record.steps else before.rename(after)
    shutil.rmtree(context.folder / CHECKPOINTS, ignore_errors=True)
    return {}


def _refine(before: Path, after: Path, state: RunState, context: RunContext) -> RefinementRecord:
    settings, config = context.settings, context.settings.refine
    lessons = context.store.training_set(round=state.round, thoughts=settings.thoughts)
    answered = _mixed(lessons, state, context)
    cue = thought(settings.thoughts[0]).cue
    task = RefineTask(
        student=before,
        output=after,
        checkpoints=context.folder / CHECKPOINTS,
        config=config,
        fine_tune=settings.fine_tune,
        device=settings.device,
        teacher=context.followed,
        judge="fdd.agents.verifier:Verifier",
        pairs=tuple(
            Pair(question=problem.question, cue=cue, right=right.text, wrong=wrong.text)
            for problem, attempts in answered.items()
            for right, wrong in pairs(attempts)
            if config.method == "dpo"
        ),
        exercises=tuple(
            Exercise(problem=problem, thought=settings.thoughts[0], cue=cue)
            for problem in answered
            if config.method == "grpo"
        ),
        examples=tuple(
            as_example(lesson, planning=False) for lesson in lessons if config.method == "distill"
        ),
    )
    result = Refined(steps=0, loss=None, seconds=0.0)
    if task.size:
        result = context.engine.run(task, _telling(state, context), context.should_stop)
    else:
        context.listener.noticed(
            f"round {state.round} has no second training: the student before it solved each problem of the "
            "training set always or never"
        )
    return RefinementRecord(
        round=state.round,
        method=config.method,
        examples=task.size,
        steps=result.steps,
        loss=result.loss,
        seconds=result.seconds,
    )


def _mixed(
    lessons: Sequence[Lesson], state: RunState, context: RunContext
) -> Mapping[ProblemRecord, list[AttemptRecord]]:
    """Returns the problems of the training set that the last student solved sometimes, with its answers."""
    taught = {lesson.problem.id: lesson.problem for lesson in lessons}
    answers: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in context.store.attempts(round=state.round - 1):
        known = attempt.purpose in ("practice", "probe") and attempt.thought == context.settings.thoughts[0]
        if known and attempt.finished and attempt.problem_id in taught:
            answers[attempt.problem_id].append(attempt)
    return {
        taught[problem]: attempts
        for problem, attempts in sorted(answers.items())
        if len({attempt.reason.accepted for attempt in attempts}) == 2
    }


def pairs(attempts: Sequence[AttemptRecord]) -> list[tuple[AttemptRecord, AttemptRecord]]:
    """Returns pairs of a right and a wrong answer, each answer in one pair at most and each text in one."""
    texts = {attempt.text.strip(): attempt for attempt in reversed(attempts)}
    right = [each for each in reversed(texts.values()) if each.reason.accepted and each.form]
    wrong = [each for each in reversed(texts.values()) if not each.reason.accepted]
    return list(zip(right, wrong, strict=False))


def _telling(state: RunState, context: RunContext) -> OnEvent:
    def on_event(event: Event) -> None:
        if isinstance(event, RefineStep):
            right = "" if event.reward is None else f", {event.reward:.0%} of the answers right"
            note = f"loss {event.loss:.3f}{right}"
            progress = Progress(
                round=state.round,
                phase="refine",
                done=event.step,
                total=event.steps,
                note=note,
                loss=event.loss,
            )
            context.listener.advanced(progress)
        elif isinstance(event, Notice):
            context.listener.noticed(event.text)

    return on_event
