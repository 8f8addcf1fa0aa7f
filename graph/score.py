"""Scores any student on any problem set, outside a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agents.thoughts import thought
from agents.verifier import Verifier
from domain import Interval
from graph.exam import Exam, Question, Room, config_of, grade, hold, policy_of
from graph.state import UNTAUGHT, Listener
from problems.split import test_sets
from settings import PolicyName
from storage.records import ProblemRecord, Record, evaluation_split
from storage.summary import EvaluationSummary
from training.config import Device, GenerateConfig
from training.weights import student_path


def score(
    student: str,
    problems: str,
    *,
    thoughts: Sequence[str],
    policy: PolicyName,
    policy_samples: int,
    policy_temperature: float,
    limit: int | None,
    seed: int,
    max_new_tokens: int | None,
    device: Device,
    cache: Path,
    listener: Listener,
    should_stop: Callable[[], bool],
) -> list[EvaluationSummary]:
    """Accuracy of the student under a policy, by test set, with 95 % intervals."""
    for name in thoughts:
        thought(name)
    questions = [
        Question(problem=ProblemRecord.of(problem, split=evaluation_split(name)), evaluation=name)
        for name, members in test_sets(problems, limit=limit, seed=seed).items()
        for problem in members
    ]
    config = GenerateConfig(max_new_tokens=max_new_tokens, seed=seed)
    exam = Exam(
        phase="evaluate",
        during=0,
        round=UNTAUGHT,
        purpose="evaluation",
        student=student_path(student, cache),
        model=student,
        policy=policy_of(policy, thoughts, policy_samples),
        config=config_of(policy, config, policy_temperature),
    )
    with Verifier(workers=2) as verifier:
        room = Room(
            verifier=verifier, listener=listener, device=device, should_stop=should_stop, keep=_forget
        )
        attempts = hold(exam, questions, room, before={})
    accuracies = grade(exam.policy, questions, attempts)
    return [_summary(name, accuracy) for name, accuracy in accuracies.items()]


def _forget(rows: Sequence[Record]) -> None:
    """Outside a run nothing is kept."""


def _summary(name: str, accuracy: Interval) -> EvaluationSummary:
    return {
        "name": name,
        "n": accuracy.n,
        "correct": accuracy.correct,
        "accuracy": accuracy.accuracy,
        "low": accuracy.low,
        "high": accuracy.high,
    }
