"""`main.py study FILE`: runs the students of a study that are missing, or reports what it found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from statistics import fmean

from fdd import IMPORT_ROOT
from fdd.commands.arguments import add_json, options_of, print_json
from fdd.domain import content_hash
from fdd.errors import RunFailedError, StoppedError, one_line
from fdd.rundir.study import Cell, Study, read_study, row_of
from fdd.settings import ENVIRONMENT, OPTIONS
from fdd.storage.folder import open_store

SHOW_SECONDS = 30.0
"""A line about the progress is printed this often."""


def add(parser: ArgumentParser) -> None:
    """the same run with several policies and seeds, and the differences between them"""
    parser.add_argument("study", type=Path, metavar="FILE", help="its plan, such as studies/NAME.toml")
    parser.add_argument(
        "--report",
        action="store_true",
        help="print the tables of what is finished and write FILE's .tex and .svg; run nothing",
    )
    add_json(parser)
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="students at a time, each on a GPU of its own"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="where runs are while they go on (default: runs/STUDY)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of finished runs")
    parser.set_defaults(command=study)


def study(given: Namespace) -> int:
    found = read_study(given.study)
    if not (given.report or given.json):
        folder = given.runs or Path("runs") / given.study.stem
        run_cells(found, folder, jobs=max(1, given.jobs), keep=given.keep)
    report(found, as_json=given.json)
    return 0


def report(found: Study, *, as_json: bool) -> None:
    from fdd.reporting import study as reporting
    from fdd.reporting.pictures import save
    from fdd.rundir.delivery import write_whole

    analysis = reporting.analyse(found)
    if as_json:
        print_json(reporting.as_json(analysis))
        return
    tables = [reporting.arm_table(analysis), reporting.difference_table(analysis)]
    print(f"{found.plan.question}\n")
    if analysis.interim:
        done, planned = len(found.rows()), len(found.cells)
        print(f"Interim: {done} of {planned} students are finished, so nothing may be concluded yet.\n")
    for table in tables:
        print(f"{table.caption}\n\n{reporting.markdown(table)}\n")
    print("`visible` is the smallest true difference that so many pairs show with a power of 80 %.")
    tex = "\n\n".join(map(reporting.latex, tables))
    write_whole(found.file.with_suffix(".tex"), f"{tex}\n".encode())
    if any(each.paired for each in analysis.comparisons):
        write_whole(found.file.with_suffix(".svg"), save(reporting.forest(analysis), "svg"))


@dataclass
class Job:
    """A run that a child process continues."""

    cell: Cell
    folder: Path
    process: subprocess.Popen[bytes]
    slot: int
    begins: bool
    """Whether it is the beginning that several arms share."""

    @property
    def log(self) -> Path:
        return log_of(self.folder)


def run_cells(found: Study, folder: Path, *, jobs: int, keep: bool) -> None:
    """Runs what has no row yet, `jobs` at a time. Each finished student becomes a row at once.

    On Ctrl-C and SIGTERM the runs stop at their next safe points; the study goes on from there. Raises
    `RunFailedError` if a run fails.
    """
    stopping = False

    def stop(*_: object) -> None:  # raises nothing, since it may come while a child is being started
        nonlocal stopping
        stopping = True

    # Shells start background jobs with SIGINT ignored.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    folder.mkdir(parents=True, exist_ok=True)
    pending, running = found.pending(), list[Job]()
    total, durations = len(found.cells), list[float]()
    shown = 0.0
    try:
        while pending or running:
            slots = iter(sorted(set(range(jobs)) - {job.slot for job in running}))
            begun = [job.cell.beginning for job in running if job.begins]
            for cell in [cell for cell in pending if cell.beginning not in begun]:
                if (slot := next(slots, None)) is None:
                    break
                running.append(start(cell, pending, folder, slot, jobs))
                if running[-1].begins:
                    break  # the other arms of this seed wait for it
                pending.remove(cell)
            if time.monotonic() - shown >= SHOW_SECONDS:
                shown = time.monotonic()
                done = total - len(pending) - sum(not job.begins for job in running)
                print(
                    one_line(f"{done} of {total} students; {', '.join(map(_progress, running))}"), flush=True
                )
            time.sleep(0.2)
            if stopping:
                print("Stopping at the next safe point of each run ...", flush=True)
                raise StoppedError("stopped as asked")
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                if job.process.returncode:
                    raise RunFailedError(
                        f"arm {job.cell.arm!r}, seed {job.cell.seed} failed: see {str(job.log)!r}, mend it, "
                        "and run the study again"
                    )
                if job.begins:
                    continue
                row = row_of(job.cell, job.folder)
                found.add(row)
                durations.append(row.seconds)
                left = timedelta(seconds=round(fmean(durations) * (len(pending) + len(running)) / jobs))
                print(f"{row.arm}, seed {row.seed}: finished; about {left} left", flush=True)
                if not keep:
                    remove(job.folder)
                    if all(cell.beginning != job.cell.beginning for cell in pending):
                        remove(beginning_folder(job.cell, folder))
    finally:
        for job in running:
            job.process.send_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, before[signal.SIGTERM])
        for job in running:
            with suppress(KeyboardInterrupt):
                job.process.wait()


def beginning_folder(cell: Cell, folder: Path) -> Path:
    name = content_hash(repr(cell.beginning))[-6:]
    return folder / f"{cell.seed}-beginning-{name}"


def remove(run: Path) -> None:
    if run.exists():
        rmtree(run)
    log_of(run).unlink(missing_ok=True)


def log_of(run: Path) -> Path:
    return run.with_name(f"{run.name}.log")


def start(cell: Cell, pending: Sequence[Cell], folder: Path, slot: int, jobs: int) -> Job:
    """Starts or resumes the run of a cell in a child process, or the beginning that it shares with others."""
    run, beginning = folder / f"{cell.seed}-{cell.arm}", beginning_folder(cell, folder)
    is_shared = cell.settings.rounds and sum(each.beginning == cell.beginning for each in pending) > 1
    begins = False
    words: tuple[str, ...]
    if not run.exists() and has_begun(beginning):
        cell.fork(beginning, run)
    if run.exists():
        words = ("resume", str(run))
    elif is_shared or beginning.exists():
        run, begins = beginning, True
        new = (*options_of(cell.beginning), "--run-dir", str(run))
        words = (*(("resume", str(run)) if run.exists() else new), "--until", "evaluate")
    else:
        words = (*options_of(cell.settings), "--run-dir", str(run))
    paths = os.pathsep.join(filter(None, (str(IMPORT_ROOT), ENVIRONMENT.get("PYTHONPATH"))))
    # The plan has all settings, whatever the environment of this process says.
    variables = {option.variable for option in OPTIONS}
    environment = {name: value for name, value in ENVIRONMENT.items() if name not in variables}
    if jobs > 1:
        gpus = [*filter(None, ENVIRONMENT.get("CUDA_VISIBLE_DEVICES", "").split(","))]
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot] if slot < len(gpus) else str(slot)
    with log_of(run).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fdd.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on once
        )
    return Job(cell, run, process, slot, begins)


def has_begun(beginning: Path) -> bool:
    """Returns True if the student of round 0 has been evaluated, which is all that arms share."""
    return beginning.exists() and bool(open_store(beginning).evaluations(round=0))


def _progress(job: Job) -> str:
    from fdd.rundir.progress import latest

    where = f"{'beginning' if job.begins else job.cell.arm}, seed {job.cell.seed}"
    progress = latest(job.folder)
    if progress is None:
        return f"{where} starting"
    return f"{where} round {progress.round} {progress.phase} {progress.done} of {progress.total}"
