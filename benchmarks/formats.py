"""Compares how well each reasoning format teaches, with equal numbers of problems and optimizer steps.

    python benchmarks/formats.py [--problems 100] [--tests 200] [--seeds 0,1] [--student smollm2-135m]

The embedded student learns the same problems of `gsm-symbolic`, in one format for three epochs or in three
formats for one epoch. Then it answers the test sets, among them fresh instances of the same templates.
The student of three formats answers under three policies. Takes an hour on two cores; with --student tiny it
takes a minute, and nothing is learnt.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.statistics import wilson
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import thought
from fdd.commands.console import RunView
from fdd.domain import Interval, PolicyName
from fdd.graph.score import score
from fdd.problems.config import SPARE, ProblemSettings
from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.problems.split import prepare
from fdd.reporting.terminal import terminal
from fdd.settings import cache_folder
from fdd.training.config import FineTuneConfig
from fdd.training.fetch import student_path
from fdd.training.tasks import Event, Example, FineTuneTask
from fdd.training.worker import never, run_in_child

EPOCHS = 3
MAX_LENGTH = 1024


Results = Mapping[str, Mapping[str, Interval]]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A training, and the policies under which its student answers."""

    thoughts: tuple[str, ...]
    policies: tuple[PolicyName, ...] = ("single",)

    @property
    def epochs(self) -> int:
        """Number of epochs. N formats make N examples of a problem, so fewer epochs give the same steps."""
        return EPOCHS // len(self.thoughts)


ARMS = (
    Arm(thoughts=("pot",)),
    Arm(thoughts=("eot",)),
    Arm(thoughts=("cot",)),
    Arm(thoughts=("kp_pot",)),
    Arm(thoughts=("pot", "eot", "cot"), policies=("single", "fallback", "vote")),
)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--student", default="smollm2-135m")
    given = parser.parse_args()
    results: defaultdict[tuple[str, str], list[Interval]] = defaultdict(list)
    for seed in map(int, given.seeds.split(",")):
        taught = choose(given.problems, seed)
        for arm in ARMS:
            for name, by_set in run(arm, taught, given.student, given.tests, seed).items():
                for test, result in by_set.items():
                    results[name, test].append(result)
                    print(f"seed {seed}  {name:<24} {test:<10} {describe(result)}", flush=True)
    for (name, test), found in results.items():
        total = wilson(sum(each.correct for each in found), sum(each.n for each in found))
        print(f"all     {name:<24} {test:<10} {describe(total)}")


def choose(size: int, seed: int) -> list[Derivation]:
    """Returns derivations of the first `size` problems of this seed that the symbolic teacher can explain."""
    seeds = prepare(ProblemSettings(limit=SPARE * size, seed=seed)).seeds
    found = (derive(problem.question, problem.solution, problem.answer) for problem in seeds)
    return list(islice((each for each in found if isinstance(each, Derivation)), size))


def run(arm: Arm, taught: Sequence[Derivation], student: str, tests: int, seed: int) -> Results:
    """Trains one student; returns its accuracies by name of arm and policy, then by test set."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "student"
        config = replace(FineTuneConfig(seed=seed, max_length=MAX_LENGTH), epochs=arm.epochs)
        examples = tuple(write(each, name) for each in taught for name in arm.thoughts)
        base = student_path(student, cache_folder())
        run_in_child(FineTuneTask(student=base, examples=examples, output=output, config=config), ignore)
        return {
            f"{','.join(arm.thoughts)} {policy}": ask(output, arm.thoughts, policy, tests, seed)
            for policy in arm.policies
        }


def write(derivation: Derivation, name: str) -> Example:
    each = thought(name)
    return Example(question=derivation.question, cue=each.cue, rationale=each.render(derivation))


def ask(
    student: Path, thoughts: Sequence[str], policy: PolicyName, tests: int, seed: int
) -> dict[str, Interval]:
    with RunView(terminal(stderr=True)) as view:
        found = score(
            str(student),
            GSM_SYMBOLIC,
            thoughts=thoughts,
            policy=policy,
            policy_samples=1,
            policy_temperature=1.0,
            stronger=None,
            limit=tests,
            seed=seed,
            max_new_tokens=None,
            device="auto",
            backend="torch",
            cache=cache_folder(),
            listener=view,
            should_stop=never,
        )
    return {row["name"]: wilson(row["correct"], row["n"]) for row in found}


def ignore(_: Event) -> None:
    """Ignores the events of a training."""


def describe(result: Interval) -> str:
    percent = " ".join(f"{100 * share:5.1f}" for share in (result.accuracy, result.low, result.high))
    return f"{result.correct:>4} of {result.n:<4} {percent}"


if __name__ == "__main__":
    main()
