"""Which new problems teach most? Students that differ only in the problems of their last rounds.

    python benchmarks/children.py --seeds 40 --arms similar,harder,"similar harder","rate rate"
    python benchmarks/children.py --report

An arm names the policy of each round after the first, by its name in `POLICIES`. Arms with the same
beginning share the student up to there, so that it is trained once. Every student was taught the same seeds
of `gsm-symbolic`, then as many new problems a round, in as many steps; the optimizer's state is kept from
round to round. It is asked fresh instances of the same templates, and such instances made harder. Every
finished student is a row of `benchmarks/children.jsonl`; an arm that has a row for a seed is not run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.training.worker import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

from benchmarks.lessons import programs
from benchmarks.recipe import ask, ignore
from fdd.agents.allocation import allocate, whole
from fdd.agents.profile import Belief, Probed, profile
from fdd.agents.synthesizer import SymbolicSynthesizer, Wanted
from fdd.agents.thoughts import thought
from fdd.domain import Draft, Operator, Problem
from fdd.graph.curriculum import child_of
from fdd.matching import exact_form
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.settings import cache_folder
from fdd.training.config import FineTuneConfig
from fdd.training.device import choose_runtime, cpu_name
from fdd.training.fetch import student_path
from fdd.training.fine_tune import fine_tune
from fdd.training.student import load_student
from fdd.training.tasks import Example

Row = dict[str, Any]
"""A line of `children.jsonl`."""
Lesson = tuple[Problem, str]
"""A problem and its program."""
Group = dict[str, list[Lesson]]
"""By template."""
ROWS = Path(__file__).with_suffix(".jsonl")
SEEDS, NEW, PROBES, TESTS, HARDER = 4, 4, 10, 8, 5
"""For each template: seeds; new problems a round; probes a round; test problems; and harder ones."""
REPLAY = 0.5
"""Share of the earlier problems that each round teaches again."""
SETS = ("in-domain", "harder")
CUE = thought("pot").cue


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--arms", default="")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    arms = [tuple(arm.split()) for arm in given.arms.split(",") if arm]
    for seed in map(int, filter(None, given.seeds.split(","))):
        done = {tuple(row["arm"]) for row in read_rows() if row["seed"] == seed}
        with tempfile.TemporaryDirectory() as folder:
            world = World(seed, Path(folder))
            for arm in (arm for arm in arms if arm not in done):
                row = world.row(arm)
                with ROWS.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(row)}\n")
                print(json.dumps({key: row[key] for key in ("seed", "arm", *SETS, "tokens")}), flush=True)
    if given.report:
        report(read_rows())


def read_rows() -> list[Row]:
    lines = ROWS.read_text("utf-8").splitlines() if ROWS.exists() else []
    return [json.loads(line) for line in lines]


@dataclass(frozen=True, kw_only=True)
class Student:
    """A student on the way through the rounds of an arm."""

    folder: Path
    state: Path
    """The optimizer's state, from which the next round goes on."""
    known: tuple[Lesson, ...]
    """All that it was taught."""
    steps: int
    tokens: int


class World:
    """The problems of one seed, and the students that are taught with them."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.students: dict[tuple[str, ...], Student] = {}
        """Those that other rounds may follow, by the policies of their rounds."""
        source, chance, taken = GsmSymbolic(seed), random.Random(f"children {seed}"), set[str]()

        def refuse(problem: Problem) -> str | None:
            return None if is_new(problem.question, taken) else "duplicate"

        def draw(template: str, size: int) -> list[Lesson]:
            # Three for each one that is wanted, as the symbolic teacher cannot explain all of them.
            drawn = source.draw([template], 3 * size, refuse=refuse, chance=chance)
            return list(programs(drawn))[:size]

        drawn = {template: draw(template, SEEDS) for template in source.taught}
        self.seeds: Group = {template: found for template, found in drawn.items() if len(found) == SEEDS}
        tests = {template: draw(template, TESTS) for template in self.seeds}
        self.taken = taken
        self.tests = {
            "in-domain": [problem for found in tests.values() for problem, _ in found],
            "harder": [problem for problem, _ in self.write(tests, HARDER, Operator.HARDER, "tests", taken)],
        }

    def write(
        self, parents: Group, size: int | Mapping[str, int], operator: Operator, purpose: str, taken: set[str]
    ) -> list[Lesson]:
        """Writes up to `size` children for each template, none of which is `taken`."""
        others = [problem for found in self.seeds.values() for problem, _ in found]
        written: list[Lesson] = []
        for template, members in parents.items():
            rng = random.Random(f"{self.seed} {purpose} {operator} {template}")
            wanted = size if isinstance(size, int) else size.get(template, 0)
            found: list[Lesson] = []
            for number in range(6 * wanted):
                if len(found) == wanted:
                    break
                parent, _ = members[number % len(members)]
                child = Wanted(parent=parent, operator=operator, others=others)
                draft = asyncio.run(SymbolicSynthesizer().write(child, rng)).content
                if isinstance(draft, Draft) and is_new(draft.question, taken):
                    found += programs([child_of(parent, draft, operator, 1)])
            written += found
        return written

    def row(self, arm: tuple[str, ...]) -> Row:
        """Trains the student of an arm, and asks it the test sets."""
        student = self.train(arm, is_last=True)
        row: Row = {"seed": self.seed, "arm": arm, "taught": len(student.known)}
        row |= {"steps": student.steps, "tokens": student.tokens}
        for name, problems in self.tests.items():
            right = ask(student.folder, problems)
            row[name] = [sum(right), len(right)]
            correct = Counter(
                problem.template for problem, is_right in zip(problems, right, strict=True) if is_right
            )
            row[f"{name} by template"] = correct
        return {**row, "machine": f"{cpu_name()}, {choose_runtime('auto').dtype}".replace("torch.", "")}

    def train(self, arm: tuple[str, ...], *, is_last: bool = False) -> Student:
        """Trains the student of these rounds. In a training that `is_last`, the rate falls to zero."""
        if arm in self.students and not is_last:
            return self.students[arm]
        before = self.train(arm[:-1]) if arm else None
        known = before.known if before else ()
        name = "-".join(("seeds", *arm, *(["last"] if is_last else [])))
        if before:
            taken = self.taken | {exact_form(problem.question) for problem, _ in known}
            new = POLICIES[arm[-1]](self, before, name, taken)
        else:
            new = [lesson for found in self.seeds.values() for lesson in found]
        replayed = random.Random(f"{self.seed} {name}").sample(known, round(REPLAY * len(known)))
        state = self.folder / f"{name}.safetensors"
        trained = fine_tune(
            load_student(student_path("smollm2-135m", cache_folder()), choose_runtime("auto")),
            [Example(question=p.question, cue=CUE, rationale=text) for p, text in (*new, *replayed)],
            self.folder / name,
            FineTuneConfig(seed=self.seed),
            ignore,
            state_from=before.state if before else None,
            state_to=None if is_last else state,
        )
        student = Student(
            folder=self.folder / name,
            state=state,
            known=(*known, *new),
            steps=trained.steps + (before.steps if before else 0),
            tokens=trained.tokens + (before.tokens if before else 0),
        )
        if not is_last:
            self.students[arm] = student
        return student

    def beliefs(self, student: Student, name: str, taken: set[str]) -> dict[str, Belief]:
        """Asks the student `PROBES` variants of the seeds of each template, which are not taught."""
        asked = [
            problem
            for problem, _ in self.write(self.seeds, PROBES, Operator.SIMILAR, f"{name} probes", taken)
        ]
        right = ask(student.folder, asked)
        n, correct = Counter(problem.template for problem in asked), Counter[str]()
        for problem, is_right in zip(asked, right, strict=True):
            correct[problem.template] += is_right
        probes = (Probed(round=0, skill=t, n=n[t], correct=correct[t], taught=1) for t in self.seeds)
        return profile(probes, 0)


def is_new(question: str, taken: set[str]) -> bool:
    """Adds the question to those that are taken; False if it was one of them."""
    form = exact_form(question)
    new = form not in taken
    taken.add(form)
    return new


Policy = Callable[[World, Student, str, set[str]], list[Lesson]]
"""Returns the new problems of a round. The text names the round and seeds its random numbers."""


def only(operator: Operator) -> Policy:
    """As many problems for each template, by one operator where it can write them, else similar ones."""

    def write(world: World, student: Student, name: str, taken: set[str]) -> list[Lesson]:
        del student
        return mixed(world, operator, dict.fromkeys(world.seeds, NEW), name, taken)

    return write


def mixed(
    world: World, operator: Operator, sizes: Mapping[str, int], name: str, taken: set[str]
) -> list[Lesson]:
    """Writes so many problems of each template by the operator, then similar ones until there are `NEW`."""
    written = world.write(world.seeds, sizes, operator, name, taken)
    have = Counter(problem.template for problem, _ in written)
    missing = {template: NEW - have[template] for template in world.seeds}
    return [*written, *world.write(world.seeds, missing, Operator.SIMILAR, f"{name} rest", taken)]


def half(world: World, student: Student, name: str, taken: set[str]) -> list[Lesson]:
    """Half harder, half similar for every template."""
    del student
    return mixed(world, Operator.HARDER, dict.fromkeys(world.seeds, NEW // 2), name, taken)


def by_rate(slope: float) -> Policy:
    """Of each template a share harder that is as large as the solve rate times `slope`, the rest similar."""

    def write(world: World, student: Student, name: str, taken: set[str]) -> list[Lesson]:
        found = world.beliefs(student, name, taken)
        shares = {template: NEW * min(1.0, slope * found[template].mean) for template in world.seeds}
        return mixed(world, Operator.HARDER, whole(shares, round(sum(shares.values()))), name, taken)

    return write


def weak(world: World, student: Student, name: str, taken: set[str]) -> list[Lesson]:
    """Similar problems, more for templates that are less solved."""
    found = world.beliefs(student, name, taken)
    sizes = allocate("weak", found, {}, NEW * len(world.seeds), random.Random(name))
    return world.write(world.seeds, sizes, Operator.SIMILAR, name, taken)


def failed(world: World, student: Student, name: str, taken: set[str]) -> list[Lesson]:
    """Of `PROBES` similar problems for each template those that the student gets wrong, then others."""
    written = world.write(world.seeds, PROBES, Operator.SIMILAR, name, taken)
    right = ask(student.folder, [problem for problem, _ in written])
    marked = list(zip(written, right, strict=True))
    random.Random(f"{world.seed} {name}").shuffle(marked)
    marked.sort(key=lambda pair: pair[1])
    return [lesson for lesson, _ in marked[: NEW * len(world.seeds)]]


POLICIES: Mapping[str, Policy] = {
    "similar": only(Operator.SIMILAR),
    "harder": only(Operator.HARDER),
    "simpler": only(Operator.SIMPLER),
    "half": half,
    "rate": by_rate(1.0),
    "steep": by_rate(2.0),
    "weak": weak,
    "failed": failed,
}


def report(rows: Sequence[Row]) -> None:
    """Prints a line for each arm, with the mean accuracies over its seeds in percent."""
    arms: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        arms[" ".join(row["arm"])].append(row)
    print(f"{'arm':<24} students " + " ".join(f"{name:>10}" for name in SETS) + "   by seed")
    for arm, found in sorted(arms.items()):
        means = " ".join(f"{fmean(accuracy(row, name) for row in found):>9.1f} %" for name in SETS)
        by_seed = ", ".join(
            f"{row['seed']}: {' / '.join(f'{accuracy(row, name):.1f}' for name in SETS)}" for row in found
        )
        print(f"{arm:<24} {len(found):>8} {means}   {by_seed}")


def accuracy(row: Row, name: str) -> float:
    right, n = row[name]
    return 100.0 * float(right) / float(n)


if __name__ == "__main__":
    main()
