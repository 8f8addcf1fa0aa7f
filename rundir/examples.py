"""Examples for students: those that it is trained on, and those in the prompt of an untaught model."""

from __future__ import annotations

from fdd.agents.thoughts import thought
from fdd.agents.thoughts.decompose import PLAN_CUE, plan
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
