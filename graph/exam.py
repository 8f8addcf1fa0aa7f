"""An exam: the student answers in its child process; answers are judged and stored batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.thoughts import thought
from graph.state import Progress, RunContext
from storage.records import AttemptRecord, ProblemRecord, Purpose, attempt_id
from training.config import GenerateConfig
from training.tasks import Batch, Completion, Event, Example, GenerateTask, Notice, Request
from training.worker import run_in_child


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Who is asked, and why."""

    phase: str
    during: int
    """The round that is going on."""
    round: int
    """Of the student: the round whose training made it."""
    purpose: Purpose
    student: Path
    model: str
    """The student's name in the tables."""
    thought: str
    config: GenerateConfig
    samples: int = 1
    shots: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """One problem of the exam, and the evaluation it belongs to (empty for a probe)."""

    problem: ProblemRecord
    evaluation: str = ""


def sit(exam: Exam, questions: Sequence[Question], context: RunContext) -> list[AttemptRecord]:
    """Every attempt of this exam, those of an earlier, interrupted sitting included."""
    keys = {
        _key(exam, question, sample): (question, sample)
        for question in questions
        for sample in range(exam.samples)
    }
    before = context.store.attempts(round=exam.round, purpose=exam.purpose)
    answered = {attempt.id: attempt for attempt in before if attempt.id in keys}

    def on_event(event: Event) -> None:
        if isinstance(event, Notice):
            context.listener.noticed(event.text)
        if not isinstance(event, Batch):
            return
        attempts = _judge(exam, event.completions, keys, context)
        context.store.add(attempts)
        answered.update({attempt.id: attempt for attempt in attempts})
        context.listener.advanced(_progress(exam, answered, len(keys)))

    context.listener.advanced(_progress(exam, answered, len(keys)))
    if len(answered) < len(keys):
        cue = thought(exam.thought).cue
        requests = tuple(
            Request(key=key, question=question.problem.question, cue=cue, shots=exam.shots, sample=sample)
            for key, (question, sample) in keys.items()
        )
        task = GenerateTask(
            student=exam.student,
            requests=requests,
            config=exam.config,
            device=context.settings.device,
            done=frozenset(answered),
        )
        run_in_child(task, on_event, context.should_stop)
    return [answered[key] for key in sorted(answered)]


def _key(exam: Exam, question: Question, sample: int) -> str:
    return attempt_id(
        problem_id=question.problem.id,
        round=exam.round,
        purpose=exam.purpose,
        evaluation=question.evaluation,
        thought=exam.thought,
        sample=sample,
    )


def _judge(
    exam: Exam,
    completions: Sequence[Completion],
    keys: dict[str, tuple[Question, int]],
    context: RunContext,
) -> list[AttemptRecord]:
    asked = [keys[completion.key] for completion in completions]
    verdicts = context.verifier.judge_many(
        [
            (exam.thought, completion.text, question.problem.answer, completion.finished)
            for completion, (question, _) in zip(completions, asked, strict=True)
        ]
    )
    return [
        AttemptRecord(
            id=completion.key,
            problem_id=question.problem.id,
            round=exam.round,
            purpose=exam.purpose,
            evaluation=question.evaluation,
            thought=exam.thought,
            sample=sample,
            text=completion.text,
            reason=verdict.reason,
            value=verdict.value,
            new_tokens=completion.new_tokens,
            finished=completion.finished,
            model=exam.model,
            seed=exam.config.seed,
        )
        for completion, (question, sample), verdict in zip(completions, asked, verdicts, strict=True)
    ]


def _progress(exam: Exam, answered: dict[str, AttemptRecord], total: int) -> Progress:
    right = sum(attempt.reason.accepted for attempt in answered.values())
    note = f"{right} of {len(answered)} right" if answered else ""
    return Progress(round=exam.during, phase=exam.phase, done=len(answered), total=total, note=note)
