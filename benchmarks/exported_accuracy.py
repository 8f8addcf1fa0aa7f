"""Compares the right answers of an exported student under plain `transformers` with those stored in its run.

    python main.py export RUN --to EXPORT
    python benchmarks/exported_accuracy.py RUN EXPORT [--set in-domain] [--limit 200] [--round N]

Runs the code of the export's model card unchanged. A batch has prompts of one length only, so that nothing is
padded. The verifier judges the texts as it judged the stored answers. Works for runs whose policy is
`single`. If this machine computes in another number format than the run's machine, a few texts may differ.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.training.worker import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

import torch

from fdd.agents.verifier import Verifier
from fdd.reporting.export import CARD, STUDENT, choose_student
from fdd.settings import Settings
from fdd.storage.folder import open_store

SHOWN = 10
"""Most differing texts that are printed."""


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
    written = answers(given.export, {each.problem_id: problems[each.problem_id].question for each in stored})
    texts = [written[attempt.problem_id] for attempt in stored]
    with Verifier() as verifier:
        verdicts = verifier.judge_attempts(
            (attempt.thought, text, problems[attempt.problem_id].answer, bool(text))
            for attempt, text in zip(stored, texts, strict=True)
        )
    ours = sum(attempt.reason.accepted for attempt in stored)
    plain = sum(verdict.accepted for verdict in verdicts)
    differing = [
        (attempt, text)
        for attempt, text in zip(stored, texts, strict=True)
        # The card's code gives an empty text for an answer that was cut off.
        if text != (attempt.text if attempt.finished else "")
    ]
    print(f"round {student.round}, {given.set}, n = {len(stored)}")
    print(f"right as stored              {ours}")
    print(f"right by plain transformers  {plain}")
    print(f"texts equal                  {len(stored) - len(differing)} of {len(stored)}")
    for attempt, text in differing[:SHOWN]:
        print(f"- {attempt.problem_id}, stored ({attempt.reason}):\n{attempt.text}\n  now:\n{text}")


def answers(export: Path, questions: Mapping[str, str]) -> dict[str, str]:
    """Runs the code of the model card; returns its text for each question, by the question's key."""
    card = (export / STUDENT / CARD).read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    os.chdir(export)
    exec(compile(code, CARD, "exec"), found)
    by_length: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for key, question in questions.items():
        prompt = found["read"](question)
        by_length[prompt.shape[1]][key] = prompt
    texts: dict[str, str] = {}
    for group in by_length.values():
        # A batch of one uses other kernels, which round differently, so a run never decodes fewer than two.
        rows = [*group.values()] * (2 if len(group) == 1 else 1)
        texts |= zip(group, found["write"](torch.cat(rows)), strict=False)
        print(f"{len(texts)} of {len(questions)} answered", file=sys.stderr, flush=True)
    return texts


if __name__ == "__main__":
    main()
