"""Scores any student on any problem set, outside a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from agents.evaluator import wilson
from agents.thoughts import thought
from agents.verifier import Verifier
from graph.state import Listener, Progress
from problems.split import test_sets
from storage.summary import EvaluationSummary
from training.config import Device, GenerateConfig
from training.tasks import Batch, Event, GenerateTask, Notice, Request
from training.weights import student_path
from training.worker import run_in_child


def score(
    student: str,
    problems: str,
    *,
    thought_name: str,
    limit: int | None,
    seed: int,
    max_new_tokens: int,
    device: Device,
    cache: Path,
    listener: Listener,
    should_stop: Callable[[], bool],
) -> list[EvaluationSummary]:
    """Greedy accuracy of the student in one thought, by test set, with 95 % intervals."""
    cue = thought(thought_name).cue
    asked = {
        f"{name} {problem.id}": (name, problem)
        for name, members in test_sets(problems, limit=limit, seed=seed).items()
        for problem in members
    }
    marks: defaultdict[str, list[bool]] = defaultdict(list)
    with Verifier(workers=2) as verifier:

        def on_event(event: Event) -> None:
            if isinstance(event, Notice):
                listener.noticed(event.text)
            if not isinstance(event, Batch):
                return
            texts = [(thought_name, c.text, asked[c.key][1].answer, c.finished) for c in event.completions]
            for completion, verdict in zip(event.completions, verifier.judge_many(texts), strict=True):
                marks[asked[completion.key][0]].append(verdict.accepted)
            done = sum(map(len, marks.values()))
            listener.advanced(Progress(round=0, phase="evaluate", done=done, total=len(asked)))

        task = GenerateTask(
            student=student_path(student, cache),
            requests=tuple(Request(key=k, question=p.question, cue=cue) for k, (_, p) in asked.items()),
            config=GenerateConfig(max_new_tokens=max_new_tokens),
            device=device,
        )
        run_in_child(task, on_event, should_stop)
    return [_summary(name, right) for name, right in sorted(marks.items())]


def _summary(name: str, right: list[bool]) -> EvaluationSummary:
    share = wilson(sum(right), len(right))
    return {
        "name": name,
        "n": share.n,
        "correct": share.correct,
        "accuracy": share.accuracy,
        "low": share.low,
        "high": share.high,
    }
