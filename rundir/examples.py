"""Examples for students: those that it is trained on, and those in the prompt of an untaught model."""

from __future__ import annotations

import random

from fdd.agents.thoughts import thought
from fdd.agents.thoughts.decompose import PLAN_CUE, plan
from fdd.graph.state import RunContext
from fdd.storage.store import Lesson
from fdd.training.tasks import Example


def as_example(lesson: Lesson, *, planning: bool) -> Example:
    """Turns a lesson into an example: the whole rationale or, with `planning`, only its subquestions."""
    text = lesson.rationale.text
    return Example(
        question=lesson.problem.question,
        cue=PLAN_CUE if planning else thought(lesson.rationale.thought).cue,
        rationale=plan(text) if planning else text,
    )


def choose_shots(context: RunContext, *, planning: bool) -> tuple[Example, ...]:
    """Draws accepted rationales of round 0 from the shorter half, so that the prompt stays short."""
    settings = context.settings
    lessons = context.store.training_set(round=0, thoughts=settings.thoughts[:1])
    lessons.sort(
        key=lambda lesson: (len(lesson.problem.question) + len(lesson.rationale.text), lesson.problem.id)
    )
    short = lessons[: max(settings.shots, len(lessons) // 2)]
    drawn = random.Random(f"shots {settings.seed}").sample(short, min(settings.shots, len(short)))
    return tuple(as_example(lesson, planning=planning) for lesson in drawn)
