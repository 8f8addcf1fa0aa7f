"""Which batch size, learning rate and number of epochs teach most for the processor time they take.

    python benchmarks/recipe.py --seeds 0 --cells 16:5e-4:3,4:3e-4:6 [--problems 93] [--tests 500]
    python benchmarks/recipe.py --report

A cell is BATCH:RATE:EPOCHS, with `:lora` or `:HALF_LIFE` (tokens, of AdamW's second moment) behind it. Each cell
teaches the embedded student the same problems of `gsm-symbolic` as programs and asks it fresh instances of the same
templates. Every finished training is one row of `benchmarks/recipe.jsonl`; cells that have a row are not run again.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.child import ENVIRONMENT

os.environ.update(ENVIRONMENT)  # before torch is imported

from agents.thoughts import thought
from agents.verifier import Verifier
from benchmarks.lessons import programs
from domain import Problem
from problems.config import ProblemSettings
from problems.split import prepare
from settings import cache_folder
from training.config import FineTuneConfig, GenerateConfig
from training.device import choose_runtime, cpu_name
from training.fine_tune import fine_tune
from training.generate import generate
from training.student import Student, load_student
from training.tasks import Batch, Event, Example, Request
from training.weights import student_path

Row = dict[str, Any]
"""A line of the file."""
ROWS = Path(__file__).with_suffix(".jsonl")
SPARE = 2
"""Problems drawn for each one that is taught: some cannot be explained."""
THOUGHT = "pot"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way to train."""

    batch: int
    rate: float
    epochs: int
    method: str = "full"
    half_life: int = FineTuneConfig().second_moment_half_life

    def config(self, seed: int) -> FineTuneConfig:
        return replace(
            FineTuneConfig(seed=seed),
            batch_size=self.batch,
            learning_rate=self.rate,
            epochs=self.epochs,
            method="lora" if self.method == "lora" else "full",
            second_moment_half_life=self.half_life,
        )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--problems", type=int, default=93)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--student", default="smollm2-135m")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    cells = [read_cell(text) for text in given.cells.split(",") if text]
    for seed in map(int, given.seeds.split(",")):
        for cell in cells:
            key = {**asdict(cell), "seed": seed, "problems": given.problems, "student": given.student}
            if not any(key.items() <= row.items() for row in read_rows()):
                row = {**key, **run(cell, seed, given.problems, given.tests, given.student)}
                with ROWS.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(row)}\n")
                print(json.dumps(row), flush=True)
    if given.report:
        report(read_rows())


def read_cell(text: str) -> Cell:
    batch, rate, epochs, *rest = text.split(":")
    cell = Cell(batch=int(batch), rate=float(rate), epochs=int(epochs))
    for more in rest:
        cell = replace(cell, half_life=int(more)) if more.isdigit() else replace(cell, method=more)
    return cell


def read_rows() -> list[Row]:
    lines = ROWS.read_text("utf-8").splitlines() if ROWS.exists() else []
    return [json.loads(line) for line in lines]


def run(cell: Cell, seed: int, size: int, tests: int, name: str) -> Row:
    """Train one student and ask it; seconds are of the processor, on all cores together."""
    sets = prepare(ProblemSettings(limit=SPARE * size, test_size=tests, held_out_size=1, seed=seed))
    taught = list(islice(programs(sets.seeds), size))
    cue = thought(THOUGHT).cue
    examples = [Example(question=each.question, cue=cue, rationale=text) for each, text in taught]
    runtime = choose_runtime("auto")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "student"
        student = load_student(student_path(name, cache_folder()), runtime)
        began, clock = time.process_time(), time.monotonic()
        trained = fine_tune(student, examples, output, cell.config(seed), ignore)
        seconds, wall = time.process_time() - began, time.monotonic() - clock
        correct = ask(output, sets.tests["in-domain"])
    return {
        "steps": trained.steps,
        "tokens": trained.tokens,
        "loss": round(trained.loss, 4),
        "processor_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "n": len(correct),
        "correct": sum(correct),
        "machine": f"{cpu_name()}, {runtime.dtype}".replace("torch.", ""),
    }


def ask(folder: Path, problems: Sequence[Problem]) -> list[bool]:
    """Whether the student's greedy answer to each problem is right."""
    student = load_student(folder, choose_runtime("auto"))
    by_id = {problem.id: problem for problem in problems}
    requests = [
        Request(key=key, question=each.question, cue=thought(THOUGHT).cue) for key, each in by_id.items()
    ]
    texts = list(completions(student, requests))
    with Verifier(workers=2) as verifier:
        verdicts = verifier.judge_many(
            [(THOUGHT, text, by_id[key].answer, finished) for key, text, finished in texts]
        )
    return [verdict.accepted for verdict in verdicts]


def completions(student: Student, requests: Sequence[Request]) -> Iterator[tuple[str, str, bool]]:
    found: list[Event] = []
    generate(student, requests, GenerateConfig(), found.append)
    for event in found:
        if isinstance(event, Batch):
            yield from ((each.key, each.text, each.finished) for each in event.completions)


def ignore(_: Event) -> None:
    """Nobody watches a training here."""


def report(rows: Sequence[Row]) -> None:
    """A line for each cell, best mean accuracy first; accuracies in percent."""
    cells: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        cells[tuple(str(row[name]) for name in ("method", "batch", "rate", "epochs", "half_life"))].append(
            row
        )
    print("method batch  rate     epochs half-life  steps  loss  processor s  accuracy by seed")
    for cell, found in sorted(cells.items(), key=lambda item: -fmean(map(accuracy, item[1]))):
        method, batch, rate, epochs, half_life = cell
        seconds = fmean(row["processor_seconds"] for row in found)
        loss = fmean(row["loss"] for row in found)
        shown = " ".join(f"{row['seed']}:{accuracy(row):.1f}" for row in found)
        print(
            f"{method:<6} {batch:>5}  {rate:<8} {epochs:>6} {half_life:>9}  {found[0]['steps']:>5}  {loss:.3f}"
            f"  {seconds:>11.0f}  {fmean(map(accuracy, found)):.1f} ({shown})"
        )


def accuracy(row: Row) -> float:
    return 100.0 * float(row["correct"]) / float(row["n"])


if __name__ == "__main__":
    main()
