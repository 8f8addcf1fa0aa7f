"""Measures how many problems of a set the symbolic synthesizer can vary, and how fast; prints samples.

    python benchmarks/variation.py --problems gsm-symbolic|FILE.jsonl [--limit N] [--sample N --seed S]

The share is of all problems of the set, unreadable ones included.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.synthesizer import SymbolicSynthesizer, Wanted
from fdd.domain import Draft, Operator, Problem
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.problems.jsonl import read_jsonl

SYMBOLIC = "gsm-symbolic"
PARTNERS = 300
"""Number of problems of the set with which a problem may be chained to make a harder one."""


def main() -> None:
    arguments = _arguments()
    problems = load(arguments.problems, arguments.limit)
    print(f"{arguments.problems}: {len(problems)} problems, seed {arguments.seed}")
    for operator in arguments.operators:
        written = _write_all(problems, operator, arguments.seed)
        chosen = random.Random(arguments.seed).sample(written, min(arguments.sample, len(written)))
        for number, (parent, draft) in enumerate(chosen, start=1):
            print(f"\n{number}. {operator}\nparent: {parent.question}")
            print(f"question: {draft.question}\n{draft.solution}\nanswer: {draft.answer}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=SYMBOLIC, help="gsm-symbolic or a JSONL file in GSM8K's format")
    parser.add_argument("--limit", type=int, default=2000, help="instances of gsm-symbolic to draw")
    parser.add_argument("--sample", type=int, default=0, help="drafts of each operator to print")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operators", type=Operator, nargs="+", default=list(Operator))
    return parser.parse_args()


def load(name: str, limit: int) -> list[Problem]:
    if name != SYMBOLIC:
        return read_jsonl(Path(name))
    source = GsmSymbolic(seed=1)
    return source.draw(source.templates, limit, refuse=lambda _: None, chance=random.Random(1))


def _write_all(problems: Sequence[Problem], operator: Operator, seed: int) -> list[tuple[Problem, Draft]]:
    synthesizer, others = SymbolicSynthesizer(), problems[:PARTNERS]
    start = time.perf_counter()
    written, refused = [], Counter[str]()
    for problem in problems:
        rng = random.Random(f"{seed} {problem.id} {operator}")
        draft = asyncio.run(
            synthesizer.write(Wanted(parent=problem, operator=operator, others=others), rng)
        ).content
        if isinstance(draft, Draft):
            written.append((problem, draft))
        else:
            refused[draft.reason] += 1
    seconds = time.perf_counter() - start
    reasons = ", ".join(f"{count} {reason}" for reason, count in refused.most_common())
    share, speed = len(written) / len(problems), len(written) / seconds
    print(f"{operator}: {len(written)} written ({share:.1%}), {speed:,.0f} drafts/s; refused: {reasons}")
    return written


if __name__ == "__main__":
    main()
