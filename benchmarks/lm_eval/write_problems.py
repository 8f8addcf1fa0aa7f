"""Writes the problems of a run's evaluation set in GSM8K's format.

python benchmarks/lm_eval/write_problems.py RUN build/lm_eval/problems.jsonl [--set in-domain]
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from fdd.storage.folder import open_store
from fdd.storage.records import evaluation_split


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--set", default="in-domain")
    given = parser.parse_args()
    problems = open_store(given.run).problems(splits=[evaluation_split(given.set)])
    rows = [
        {"question": each.question, "answer": f"{each.solution}\n#### {each.answer}"} for each in problems
    ]
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    print(f"{len(problems)} problems in {given.output}")


if __name__ == "__main__":
    main()
