"""Report: the student that did best on the dev set and the data set that taught it, under plain names.

They are there after every round, so that a run which is stopped leaves something to use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree

from langgraph.runtime import Runtime

from domain import Progress
from graph.state import RunContext, RunState, RunUpdate
from problems.contamination import DEV
from storage.records import EvaluationRecord, RoundRecord
from storage.store import Lesson, Store

STUDENT = "student"
"""Link in the run folder to the best student."""
DATASET = "dataset.jsonl"


def report(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    student = deliver(context)
    context.listener.advanced(Progress(round=state.round, phase="report", done=1, total=1, note=student))
    return {"student": student}


def deliver(context: RunContext) -> str:
    """Put what the rounds so far came to under plain names; gives the best student's path in the folder.

    Where no round was kept there is nothing to put, and the path is empty.
    """
    kept = context.store.kept()
    if not kept:
        return ""
    record = best(kept, context.store.evaluations())
    _link(context.folder / STUDENT, Path(record.student))
    lessons = context.store.training_set(round=record.round, thoughts=context.settings.thoughts)
    text = "".join(f"{as_line(lesson)}\n" for lesson in lessons)
    write_whole(context.folder / DATASET, text.encode("utf-8"))
    return record.student


def delivered(store: Store) -> RoundRecord | None:
    """The round whose student a run delivers; None where none was kept."""
    kept = store.kept()
    return best(kept, store.evaluations()) if kept else None


def best(kept: Sequence[RoundRecord], evaluations: Sequence[EvaluationRecord]) -> RoundRecord:
    """The round whose student is best on the dev set, the latest of equals; the test sets have no say."""
    correct = {record.round: record.correct for record in evaluations if record.name == DEV}
    return max(kept, key=lambda record: (correct[record.round], record.round))


def as_line(lesson: Lesson) -> str:
    return json_line(as_row(lesson))


def as_row(lesson: Lesson) -> dict[str, object]:
    problem, rationale = lesson.problem, lesson.rationale
    return {
        "id": problem.id,
        "question": problem.question,
        "answer": str(problem.answer),
        "thought": rationale.thought,
        "agent": rationale.agent,
        "rationale": rationale.text,
        "round": problem.round,
        "source": problem.source,
        "parent": problem.parent,
        "operator": problem.operator,
    }


def json_line(row: Mapping[str, object]) -> str:
    """The row as JSON that nobody takes for more than one line."""
    line = json.dumps(row, ensure_ascii=False)
    # Of the rest some readers break lines at U+2028, and terminals obey some.
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _link(link: Path, target: Path) -> None:
    """Point the link at the target in one step, so that it is never missing.

    A run that was copied with its links followed has a folder there.
    """
    if link.is_dir() and not link.is_symlink():
        rmtree(link)
    draft = link.with_name(f".{link.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target, target_is_directory=True)
    draft.replace(link)


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is complete."""
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
