"""Right answers of an exported student under plain `transformers`, beside those stored with its run.

    python main.py export RUN --to EXPORT
    python benchmarks/exported_accuracy.py RUN EXPORT [--set in-domain] [--limit 200] [--round N]

The code of the export's model card is run as it stands, question by question; the verifier judges what it
writes as it judged the stored answers. For runs whose policy is `single`. On a machine that computes in
another number format than the run's did, a few texts may differ.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.child import ENVIRONMENT

os.environ.update(ENVIRONMENT)

from agents.verifier import Verifier
from graph.run import open_store
from reporting.export import CARD, STUDENT, choose_student
from settings import Settings

SHOWN = 10
"""Texts that differ, at most."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("--set", default="in-domain")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--round", type=int)
    given = parser.parse_args()
    store = open_store(given.run)
    settings = Settings.from_json(store.run().settings)
    student = choose_student(store, given.round)
    assert student is not None and settings.policy == "single" and settings.solver is None
    stored = store.attempts(round=student.round, purpose="evaluation", evaluation=given.set)[: given.limit]
    problems = {problem.id: problem for problem in store.problems()}
    answer = from_card(given.export)
    texts = []
    for attempt in stored:
        texts.append(answer(problems[attempt.problem_id].question))
        if len(texts) % 20 == 0:
            print(f"{len(texts)} of {len(stored)} answered", file=sys.stderr, flush=True)
    with Verifier() as verifier:
        verdicts = verifier.judge_many(
            (attempt.thought, text, problems[attempt.problem_id].answer, bool(text))
            for attempt, text in zip(stored, texts, strict=True)
        )
    ours = sum(attempt.reason.accepted for attempt in stored)
    plain = sum(verdict.accepted for verdict in verdicts)
    differing = [
        (attempt, text)
        for attempt, text in zip(stored, texts, strict=True)
        if text != (attempt.text if attempt.finished else "")
    ]
    print(f"round {student.round}, {given.set}, n = {len(stored)}")
    print(f"right as stored            {ours}")
    print(f"right by plain transformers {plain}")
    print(f"texts equal                {len(stored) - len(differing)} of {len(stored)}")
    for attempt, text in differing[:SHOWN]:
        print(f"- {attempt.problem_id}, stored ({attempt.reason}):\n{attempt.text}\n  now:\n{text}")


def from_card(export: Path) -> Callable[[str], str]:
    """The function `answer` of the model card's code."""
    card = (export / STUDENT / CARD).read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE)
    found: dict[str, Callable[[str], str]] = {}
    os.chdir(export)
    exec(compile(code, CARD, "exec"), found)
    return found["answer"]


if __name__ == "__main__":
    main()
