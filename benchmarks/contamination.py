"""Measures how well copies of evaluation problems are kept out of training: recall, false positives, speed.

    python benchmarks/contamination.py --train gsm8k_train.jsonl --test gsm8k_dev.jsonl --test svamp_dev.jsonl

Recall is the share of planted copies that are found, by kind; tests/problems/leaks.py makes the copies.
Everything found in `--train` counts as a false positive; `--examples N` prints N of those pairs to read.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.statistics import wilson
from fdd.domain import Problem
from fdd.problems.config import ProblemSettings
from fdd.problems.contamination import SHARE, WORDS, Decontaminator
from fdd.problems.jsonl import make_problem, read_jsonl
from fdd.problems.split import prepare
from tests.problems.leaks import PLANTS, planted, renamed, written_by_hand

CHOICES = (
    (13, 0.5),
    (8, 0.5),
    (8, 0.3),
    (5, 0.3),
    (4, 0.3),
    (3, 0.4),
    (3, 0.35),
    (2, 0.6),
    (2, 0.5),
    (2, 0.45),
)
"""Settings to try: the number of words in a run, and the share of runs that must match."""
CANDIDATES, EVALUATED = 100_000, 2_000
Sets = Mapping[str, Sequence[Problem]]


def main() -> None:
    arguments = _arguments()
    train = read_jsonl(arguments.train)
    sets = {path.stem: read_jsonl(path) for path in arguments.test}
    by_hand = [
        (make_problem(question, "#### 0", source="by hand", where=""), copy)
        for question, copy in written_by_hand()
    ]
    everything = {**sets, "by hand": [problem for problem, _ in by_hand]}
    plants = {
        kind: [
            copy for problems in sets.values() for _, copy in planted([p.question for p in problems], kind)
        ]
        for kind in PLANTS
    }
    plants["paraphrased by hand"] = [copy for _, copy in by_hand]
    plants["the same, renamed"] = [renamed(copy, random.Random(copy)) for _, copy in by_hand]
    _show_choices(everything, plants, train)
    guard = Decontaminator(everything)
    _show_recall(guard, plants)
    _show_mistakes(Decontaminator(sets), train, arguments.examples)
    _show_speed([*train, *(problem for problems in sets.values() for problem in problems)])
    _show_templates()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="candidates that copy nothing, as JSONL")
    parser.add_argument("--test", type=Path, action="append", required=True, help="evaluation set, as JSONL")
    parser.add_argument("--examples", type=int, default=0, help="pairs found by mistake to print")
    return parser.parse_args()


def _share(part: int, whole: int) -> str:
    share = wilson(part, whole)
    return f"{100 * share.accuracy:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _show_choices(sets: Sets, plants: Mapping[str, Sequence[str]], train: Sequence[Problem]) -> None:
    """Prints what each of `CHOICES` finds, to show why `WORDS` and `SHARE` were chosen."""
    groups = {"by mistake": [problem.question for problem in train], **plants}
    print("% found, by words in a run and the share of runs:", ", ".join(groups))
    for words, share in CHOICES:
        guard = Decontaminator(sets, words=words, share=share)
        found = [100 * fmean(guard.match(each) is not None for each in group) for group in groups.values()]
        chosen = " (chosen)" if (words, share) == (WORDS, SHARE) else ""
        print(f"{words:2} {share:4.2f}", *(f"{rate:6.2f}" for rate in found), chosen, flush=True)


def _show_recall(guard: Decontaminator, plants: Mapping[str, Sequence[str]]) -> None:
    for kind, copies in plants.items():
        kinds = Counter(match.kind for copy in copies if (match := guard.match(copy)))
        print(f"{kind}: {len(copies)} copies, found {_share(kinds.total(), len(copies))}, {dict(kinds)}")


def _show_mistakes(guard: Decontaminator, train: Sequence[Problem], examples: int) -> None:
    pairs = [(problem.question, match) for problem in train if (match := guard.match(problem.question))]
    counts = Counter(str(match) for _, match in pairs)
    print(f"found in {len(train)} candidates, none planted: {_share(len(pairs), len(train))}, {dict(counts)}")
    for question, match in random.Random(0).sample(pairs, min(examples, len(pairs))):
        print(
            f"\n{match}, {match.overlap:.2f}\n  candidate: {question}\n  evaluated: {match.problem.question}"
        )


def _show_speed(problems: Sequence[Problem]) -> None:
    evaluated, rest = problems[-EVALUATED:], problems[:-EVALUATED]
    started = time.process_time()
    guard = Decontaminator({"test": evaluated})
    for problem in islice(cycle(rest), CANDIDATES):
        guard.match(problem.question)
    seconds = time.process_time() - started
    sizes = f"{CANDIDATES} candidates against {len(evaluated)} evaluation problems"
    print(f"{sizes}: {seconds:.1f} s of one processor")


def _show_templates() -> None:
    """Prints what `gsm-symbolic` leaves out while it draws problems, and how many templates remain."""
    for seed in range(5):
        started = time.process_time()
        sets = prepare(ProblemSettings(limit=5_000, seed=seed))
        seconds = time.process_time() - started
        templates = len({problem.template for problem in sets.seeds})
        print(f"gsm-symbolic, seed {seed}: {templates} templates, {sets.removed}, {seconds:.1f} s")


if __name__ == "__main__":
    main()
