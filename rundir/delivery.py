"""What a run delivers: the student that is best on the dev set, and its data set, under fixed names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree

from fdd.problems.contamination import DEV
from fdd.storage.records import EvaluationRecord, RoundRecord
from fdd.storage.store import Lesson, Store

STUDENT = "student"
"""Name of the link in the run folder to the best student."""
DATASET = "dataset.jsonl"


def deliver(folder: Path, store: Store, thoughts: Sequence[str]) -> str:
    """Links the best student so far and writes its data set; returns the student's path in the run folder.

    Called after every round, so that a run that is stopped leaves something to use. If no round was kept it
    does nothing and returns an empty path.
    """
    record = delivered(store)
    if record is None:
        return ""
    # The target is relative to the run folder, so that the folder can be moved.
    _link(folder / STUDENT, Path(record.student))
    lessons = store.training_set(round=record.round, thoughts=thoughts)
    text = "".join(f"{json_line(as_row(lesson))}\n" for lesson in lessons)
    write_whole(folder / DATASET, text.encode("utf-8"))
    return record.student


def delivered(store: Store) -> RoundRecord | None:
    """Returns the round whose student a run delivers; None if no round was kept."""
    kept = store.kept()
    return best(kept, store.evaluations()) if kept else None


def best(kept: Sequence[RoundRecord], evaluations: Sequence[EvaluationRecord]) -> RoundRecord:
    """Returns the round whose student is best on the dev set; of equals the latest. Ignores the test sets."""
    correct = {record.round: record.correct for record in evaluations if record.name == DEV}
    return max(kept, key=lambda record: (correct[record.round], record.round))


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
    """Formats the row as JSON that every reader takes for exactly one line."""
    line = json.dumps(row, ensure_ascii=False)
    # `ensure_ascii=False` leaves U+2028, where some readers break lines, and characters that steer terminals.
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _link(link: Path, target: Path) -> None:
    """Points the link at the target in one step, so that it is never missing.

    If a run was copied with links followed, there is a folder in place of the link; it is deleted.
    """
    if link.is_dir() and not link.is_symlink():
        rmtree(link)
    draft = link.with_name(f".{link.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target, target_is_directory=True)
    draft.replace(link)


def write_whole(file: Path, data: bytes) -> None:
    """Writes a file that appears under its name only when it is complete."""
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
