"""Exports a run's student and data set in formats that can be used without this project's code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fdd.agents.thoughts import thought
from fdd.agents.thoughts.decompose import PLAN_CUE
from fdd.errors import FddError, UsageError
from fdd.reporting.cards import PLACE, Subject, data_card, model_card
from fdd.reporting.dataset import rows_of, write_chats, write_rows
from fdd.reporting.results import precise
from fdd.rundir.delivery import best
from fdd.rundir.examples import as_example
from fdd.rundir.listener import Listener
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.storage.records import RoundRecord
from fdd.storage.store import Lesson, Store
from fdd.training.fetch import student_path
from fdd.training.tasks import Example, Prompting, PromptTask
from fdd.training.weights import check_student, new_folder
from fdd.training.worker import run_in_child

DATA = "data"
STUDENT = "student"
CARD = "README.md"
GENERATION = "generation_config.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    folder: Path
    round: int
    """The round whose training set was exported."""
    lessons: int
    """Number of rows of the data set."""
    student: str | None
    """The student's folder in the run; None if only data was exported."""


def export(run: Path, output: Path, listener: Listener, *, cache: Path, round: int | None = None) -> Exported:
    """Writes the data set, the student and their cards into the new folder `output`; all of it or nothing.

    Exports the student of `round`. With `round=None`, exports the kept student that is best on the dev set;
    if none was kept, exports only the data of the last round. Raises `UsageError` if there is nothing to
    export or `output` exists, and `FddError` if it cannot be written.
    """
    if output.exists() or output.is_symlink():
        raise UsageError(f"{str(output)!r} exists: give another folder with --to, or remove it first")
    store = open_store(run)
    settings = Settings.from_json(store.run().settings)
    student = choose_student(store, round)
    number = student.round if student else max((each.round for each in store.rationales()), default=0)
    lessons = store.training_set(round=number, thoughts=settings.thoughts)
    if not lessons:
        raise UsageError(f"the run in {str(run)!r} has no accepted rationale yet: let it go on, then export")
    # Without a student to export, the chats are made with the tokenizer of the untaught one.
    if student is None:
        source = student_path(settings.student, cache, listener.noticed)
    else:
        source = run / student.student
    check_student(source)
    prompting = ask(source, lessons, settings)
    subject = Subject(
        summary=precise(store, store.summary()),
        versions=store.run().versions,
        round=number,
        student=student,
        lessons=lessons,
        prompting=prompting,
    )
    try:
        with new_folder(output) as folder:
            data = folder / DATA
            data.mkdir()
            write_rows(data, rows_of(lessons, store))
            write_chats(data, prompting.chats[1:])
            (data / CARD).write_text(data_card(subject), "utf-8")
            if student is not None:
                write_student(folder / STUDENT, source, subject)
    except OSError as error:
        raise FddError(f"cannot write the export {str(output)!r}: {error.strerror or error}") from None
    return Exported(
        folder=output, round=number, lessons=len(lessons), student=student.student if student else None
    )


def choose_student(store: Store, round: int | None) -> RoundRecord | None:
    """Returns the round whose student is exported; None if `round` is None and no student was kept.

    Raises `UsageError` if no student of the given round was evaluated.
    """
    evaluations = store.evaluations()
    if round is None:
        kept = store.kept()
        return best(kept, evaluations) if kept else None
    evaluated = {record.round for record in evaluations}
    rounds = {record.round: record for record in store.rounds() if record.round in evaluated}
    if round not in rounds:
        known = ", ".join(map(str, rounds)) or "none yet"
        raise UsageError(f"--round {round}: no student of that round was evaluated; there are: {known}")
    return rounds[round]


def ask(student: Path, lessons: Sequence[Lesson], settings: Settings) -> Prompting:
    """Returns how the student is prompted: the first chat asks `PLACE`, the others are the lessons."""
    planning = settings.solver is not None
    taught = tuple(as_example(lesson, planning=planning) for lesson in lessons)
    cue = PLAN_CUE if planning else thought(settings.thoughts[0]).cue
    place = Example(question=PLACE, cue=cue, rationale="")
    task = PromptTask(student=student, examples=(place, *taught), config=settings.generate)
    return run_in_child(task, lambda _: None)  # this process never imports torch


def write_student(folder: Path, source: Path, subject: Subject) -> None:
    """Copies the student and makes greedy decoding its default, as in the run's evaluations."""
    folder.mkdir()
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        shutil.copyfile(file, folder / file.name)
    prompting = subject.prompting
    config = {
        "do_sample": False,
        "eos_token_id": list(prompting.stop_ids),
        "max_new_tokens": prompting.max_new_tokens,
        "pad_token_id": prompting.pad_id,
    }
    (folder / GENERATION).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    (folder / CARD).write_text(model_card(subject), "utf-8")
