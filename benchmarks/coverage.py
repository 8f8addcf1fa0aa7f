"""The share of a problem set that the symbolic teacher can read, and the length of its rationales.

    python benchmarks/coverage.py [--problems gsm-symbolic|FILE.jsonl] [--limit N] [--examples N]

A problem is covered if its worked solution can be read as a derivation that reaches the reference answer.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import known, thought
from fdd.domain import Problem
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.problems.jsonl import read_jsonl

SYMBOLIC = "gsm-symbolic"


def main() -> None:
    arguments = _arguments()
    problems = load(arguments.problems, arguments.limit)
    strict = _read(problems, repair=False)
    left = [problem for problem in problems if problem.id not in strict]
    repaired = _read(left, repair=True)
    share = len(strict) / len(problems)
    print(f"{arguments.problems}: {len(problems)} problems")
    print(f"derivations: {len(strict)} ({share:.1%}); with repair {len(repaired)} more")
    _print_templates(problems, strict)
    _print_rationales(list(strict.values()))
    for derivation in random.Random(0).sample(list(strict.values()), arguments.examples):
        _print_example(derivation)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=SYMBOLIC, help="gsm-symbolic or a JSONL file in GSM8K's format")
    parser.add_argument("--limit", type=int, default=4000, help="instances of gsm-symbolic to draw")
    parser.add_argument("--examples", type=int, default=0, help="problems to print with every rationale")
    return parser.parse_args()


def load(name: str, limit: int) -> list[Problem]:
    if name != SYMBOLIC:
        return read_jsonl(Path(name))
    source = GsmSymbolic(seed=1)
    return source.draw(source.templates, limit, refuse=lambda _: None, chance=random.Random(1))


def _read(problems: Sequence[Problem], *, repair: bool) -> dict[str, Derivation]:
    start = time.perf_counter()
    found = {}
    for problem in problems:
        derivation = derive(problem.question, problem.solution, problem.answer, repair=repair)
        if isinstance(derivation, Derivation):
            found[problem.id] = derivation
    if problems:
        print(f"{len(problems) / (time.perf_counter() - start):,.0f} problems/s {'with repair' * repair}")
    return found


def _print_templates(problems: Sequence[Problem], found: dict[str, Derivation]) -> None:
    """Prints the templates of which some instances are not covered; nothing for a set without templates."""
    total = Counter(problem.template for problem in problems if problem.template)
    read = Counter(problem.template for problem in problems if problem.id in found)
    partly = [
        f"{name} {read[name]}/{total[name]}" for name in sorted(total, key=int) if read[name] < total[name]
    ]
    if partly:
        print("templates not covered whole:", ", ".join(partly))


def _print_rationales(derivations: Sequence[Derivation]) -> None:
    lengths = defaultdict(list)
    for derivation in derivations:
        for name in known():
            lengths[name].append(len(thought(name).render(derivation)))
    for name, values in lengths.items():
        print(f"{name}: {sum(values) / len(values):.0f} characters a rationale")


def _print_example(derivation: Derivation) -> None:
    print(f"\n{derivation.question}")
    for name in known():
        print(f"--- {name}\n{thought(name).render(derivation)}")


if __name__ == "__main__":
    main()
