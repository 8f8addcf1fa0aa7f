"""Searches for the batch size, learning rate and number of epochs that teach most per processor time.

    python benchmarks/recipe.py --seeds 0 --cells 16:5e-4:3,4:3e-4:6 [--problems 93] [--tests 500]
    python benchmarks/recipe.py --report

A cell is BATCH:RATE:EPOCHS, optionally followed by `:lora`, `:HALF_LIFE` (of the second moment, in tokens),
`:replayX` (three parts, as rounds teach, continuing the optimizer's state), `:restartX` (three parts, each
with a new optimizer) or `:anew` (three parts, each trained from the base, with all problems so far).
Each cell teaches the embedded student the same problems of `gsm-symbolic` as programs, then asks it fresh
instances of their templates. Every finished training is a row of `benchmarks/recipe.jsonl`; a cell that has a
row for a seed is not run again.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.training.worker import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

from benchmarks.lessons import programs
from fdd.agents.thoughts import thought
from fdd.agents.verifier import Verifier
from fdd.domain import Problem
from fdd.problems.config import SPARE, ProblemSettings
from fdd.problems.split import prepare
from fdd.settings import cache_folder
from fdd.training.config import FineTuneConfig, GenerateConfig
from fdd.training.device import choose_runtime, cpu_name
from fdd.training.fetch import student_path
from fdd.training.fine_tune import fine_tune
from fdd.training.generate import generate
from fdd.training.student import Student, load_student
from fdd.training.tasks import Batch, Event, Example, Request

Row = dict[str, Any]
"""A line of `recipe.jsonl`."""
ROWS = Path(__file__).with_suffix(".jsonl")
THOUGHT = "pot"
CELL = ("method", "problems", "batch", "rate", "epochs", "half_life", "replay", "restart", "anew")
PARTS = (0.42, 0.24, 0.34)
"""Shares of the problems that each part teaches, as the rounds of a default run do."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way to train."""

    batch: int
    rate: float
    epochs: int
    method: str = "full"
    half_life: int = FineTuneConfig().second_moment_half_life
    replay: float | None = None
    """If given, the problems are taught in `PARTS`, each together with this share of the earlier examples.
    Each part continues from the state that the part before had before its learning rate fell."""
    restart: float | None = None
    """Like `replay`, but each part starts a new optimizer from the finished student of the part before."""
    anew: bool = False
    """Whether the problems are taught in `PARTS`, each from the untaught student together with all before."""

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
        if more.isdigit():
            cell = replace(cell, half_life=int(more))
        elif more == "anew":
            cell = replace(cell, anew=True)
        elif more.startswith("replay"):
            cell = replace(cell, replay=float(more.removeprefix("replay")))
        elif more.startswith("restart"):
            cell = replace(cell, restart=float(more.removeprefix("restart")))
        else:
            cell = replace(cell, method=more)
    return cell


def read_rows() -> list[Row]:
    lines = ROWS.read_text("utf-8").splitlines() if ROWS.exists() else []
    return [json.loads(line) for line in lines]


def run(cell: Cell, seed: int, size: int, tests: int, name: str) -> Row:
    """Trains and evaluates one student. `processor_seconds` and `wall_seconds` are of the training only.

    The first counts processor time on all cores together.
    """
    # Only the in-domain set is asked, so the held-out set is as small as it can be.
    sets = prepare(ProblemSettings(limit=SPARE * size, test_size=tests, held_out_size=1, seed=seed))
    taught = list(islice(programs(sets.seeds), size))
    cue = thought(THOUGHT).cue
    examples = [Example(question=each.question, cue=cue, rationale=text) for each, text in taught]
    runtime = choose_runtime("auto")
    with tempfile.TemporaryDirectory() as folder:
        began, clock = time.process_time(), time.monotonic()
        trained = []
        start = output = student_path(name, cache_folder())
        state, going_on = Path(folder) / "state.safetensors", cell.replay is not None
        from_start = going_on or cell.anew
        taught_in = list(parts(examples, cell, seed))
        for number, part in enumerate(taught_in, start=1):
            student = load_student(start if from_start else output, runtime)
            output = Path(folder) / f"student-{number}"
            states = {
                "state_from": state if going_on and number > 1 else None,
                "state_to": state if going_on and number < len(taught_in) else None,
            }
            trained.append(fine_tune(student, part, output, cell.config(seed), ignore, **states))
        seconds, wall = time.process_time() - began, time.monotonic() - clock
        correct = ask(output, sets.tests["in-domain"])
    return {
        "steps": sum(each.steps for each in trained),
        "tokens": sum(each.tokens for each in trained),
        "loss": round(trained[-1].loss, 4),
        "processor_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "n": len(correct),
        "correct": sum(correct),
        "machine": f"{cpu_name()}, {runtime.dtype}".replace("torch.", ""),
    }


def parts(examples: Sequence[Example], cell: Cell, seed: int) -> Iterator[list[Example]]:
    """Yields the examples of each part: all of them, or the new ones with a sample of the earlier ones."""
    share_of_old = 1.0 if cell.anew else cell.restart if cell.replay is None else cell.replay
    if share_of_old is None:
        yield list(examples)
        return
    chance, end = random.Random(seed), 0
    for share in PARTS:
        begin, end = end, min(len(examples), end + ceil(share * len(examples)))
        yield [*examples[begin:end], *chance.sample(examples[:begin], round(share_of_old * begin))]


def ask(folder: Path, problems: Sequence[Problem]) -> list[bool]:
    """Returns whether the student's greedy answer to each problem is right."""
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
    """Ignores the events of a training."""


def report(rows: Sequence[Row]) -> None:
    """Prints a line for each cell, highest mean accuracy first; accuracies in percent."""
    cells: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        cells[tuple(str(row[name]) for name in CELL)].append(row)
    print(" ".join(f"{name:>9}" for name in (*CELL, "steps", "loss", "seconds")), " accuracy (by seed)")
    for cell, found in sorted(cells.items(), key=lambda item: -fmean(map(accuracy, item[1]))):
        loss, seconds = (fmean(row[name] for row in found) for name in ("loss", "processor_seconds"))
        columns = (*cell, found[0]["steps"], f"{loss:.3f}", f"{seconds:.0f}")
        shown = " ".join(f"{row['seed']}:{accuracy(row):.1f}" for row in found)
        print(" ".join(f"{text:>9}" for text in columns), f" {fmean(map(accuracy, found)):.1f} ({shown})")


def accuracy(row: Row) -> float:
    return 100.0 * float(row["correct"]) / float(row["n"])


if __name__ == "__main__":
    main()
