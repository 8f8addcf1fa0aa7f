"""Exams: a student answers questions in a child process. Its answers are judged and stored batch by batch."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from fdd.agents.evaluator import Ask, Majority, Policy
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.thoughts import thought
from fdd.agents.thoughts.decompose import PLAN_CUE
from fdd.agents.verifier import Verifier
from fdd.domain import PolicyName, Problem, Progress, Stopwatch, Timing, Verdict
from fdd.engines.engine import Engine
from fdd.errors import ProblemSetError, brief
from fdd.graph import spans
from fdd.graph.state import RunContext
from fdd.rundir.answers import Question
from fdd.rundir.examples import as_example
from fdd.rundir.listener import Listener
from fdd.settings import Settings
from fdd.storage.records import AttemptRecord, Purpose, Record, SpanRecord, attempt_id
from fdd.training.config import Device, GenerateConfig
from fdd.training.tasks import Batch, Completion, Event, Example, GenerateTask, Notice, Request


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Who is asked, how, and why."""

    phase: str
    during: int
    """The run's current round."""
    round: int
    """The round under which attempts are stored: the last one trained before the exam, -1 before any. For the
    test sets it is the round of the delivered student.
    """
    purpose: Purpose
    student: Path
    model: str
    """The student's name in the tables."""
    policy: Policy
    config: GenerateConfig
    shots: tuple[Example, ...] = ()
    cue: str | None = None
    """Replaces the cue of the policy's thoughts; None keeps it."""


@dataclass(frozen=True, kw_only=True)
class Examiner:
    """What every exam needs, whether it belongs to a run or not."""

    verifier: Verifier
    listener: Listener
    device: Device
    engine: Engine
    should_stop: Callable[[], bool]
    keep: Callable[[Sequence[Record]], object]
    """Called with the attempts and spans of each batch as soon as they are judged."""


def check_grader(verifier: Verifier, name: str, problems: Sequence[Problem]) -> None:
    """Raises `ProblemSetError` if the reference answer of any problem would not be graded as right."""
    if not (offenders := verifier.self_check(problems)):
        return
    first = offenders[0]
    question = next(problem.question for problem in problems if problem.id == first.problem)
    raise ProblemSetError(
        f"{len(offenders)} of {len(problems)} reference answers of {name!r} cannot be graded, the first is "
        f"{write_plain(first.answer)} to {brief(question)}: `{first.text}` comes out as {first.reason}; "
        "correct these answers"
    )


Stage = Mapping[str, tuple[Question, Ask]]
"""The questions of one generation task, by attempt id."""


def config_of(name: PolicyName, config: GenerateConfig, temperature: float) -> GenerateConfig:
    """Returns the generation settings for a policy: only `samples` uses `temperature`, others are greedy."""
    return replace(config, temperature=temperature) if name == "samples" else config


def probing(settings: Settings) -> GenerateConfig:
    """Returns the generation settings of probes: one answer is greedy, several are drawn."""
    temperature = settings.probe_temperature if settings.samples > 1 else 0.0
    return replace(settings.generate, temperature=temperature)


def examine(exam: Exam, questions: Sequence[Question], context: RunContext) -> list[AttemptRecord]:
    """Holds the exam and returns all its attempts, including those stored before an interruption.

    If the run has a solver, the student writes plans, which are stored as attempts with the purpose `plan`.
    The solver then answers the questions with these plans.
    """
    assert (context.solver is None) == (context.settings.solver is None)
    if context.solver is None:
        return _examine(exam, questions, context)
    planning = replace(exam, purpose="plan", cue=PLAN_CUE, policy=Majority(exam.policy.asks))
    plans = _examine(planning, questions, context)
    solving = replace(
        exam,
        student=context.solver,
        config=replace(exam.config, temperature=0.0),
        shots=choose_shots(context, planning=False),
    )
    return _examine(solving, _with_plans(questions, plans), context)


def _with_plans(questions: Sequence[Question], plans: Sequence[AttemptRecord]) -> list[Question]:
    texts: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for attempt in plans:
        texts[attempt.evaluation, attempt.problem_id][attempt.sample] = attempt.text
    found = [texts[question.evaluation, question.problem.id] for question in questions]
    return [
        replace(question, plans=tuple(by_sample[sample] for sample in sorted(by_sample)))
        for question, by_sample in zip(questions, found, strict=True)
    ]


def _examine(exam: Exam, questions: Sequence[Question], context: RunContext) -> list[AttemptRecord]:
    examiner = Examiner(
        verifier=context.verifier,
        listener=context.listener,
        device=context.settings.device,
        engine=context.engine,
        should_stop=context.should_stop,
        keep=context.store.add,
    )
    before = context.store.attempts(round=exam.round, purpose=exam.purpose)
    return ask(exam, questions, examiner, {attempt.id: attempt for attempt in before})


def ask(
    exam: Exam, questions: Sequence[Question], examiner: Examiner, before: Mapping[str, AttemptRecord]
) -> list[AttemptRecord]:
    """Asks in stages until the policy has decided every question. A stage is what the policy asks for next.

    Attempts in `before` are not made again. An interrupted stage still gets the same requests as before the
    interruption, so that its batches and their texts are the same; only the unanswered ones are answered.
    """
    attempts: dict[str, AttemptRecord] = {}
    values: dict[Question, dict[Ask, Fraction | None]] = {question: {} for question in questions}
    while stage := _next_stage(exam, values):
        attempts |= _ask_stage(exam, stage, examiner, before, len(attempts))
        for key, (question, ask) in stage.items():
            values[question][ask] = attempts[key].value
    spared = len(values) * len(exam.policy.asks) - len(attempts)
    if spared:
        examiner.listener.noticed(
            f"{exam.phase}: {len(attempts)} answers decided it, {spared} more were not needed"
        )
    return [attempts[key] for key in sorted(attempts)]


def _next_stage(exam: Exam, values: Mapping[Question, Mapping[Ask, Fraction | None]]) -> Stage:
    return {
        _key(exam, question, ask): (question, ask)
        for question, known in values.items()
        for ask in exam.policy.next(known)
    }


def _ask_stage(
    exam: Exam, stage: Stage, examiner: Examiner, before: Mapping[str, AttemptRecord], earlier: int
) -> dict[str, AttemptRecord]:
    """Returns the attempts of one stage; `earlier` is the number of attempts before it, for the progress."""
    answered = {key: before[key] for key in stage if key in before}
    watch = Stopwatch()

    def on_event(event: Event) -> None:
        nonlocal watch
        if isinstance(event, Notice):
            examiner.listener.noticed(event.text)
        if not isinstance(event, Batch):
            return
        writing = watch.read()
        verdicts = judge(exam, event.completions, stage, examiner.verifier)
        attempts = [
            _attempt(exam, completion, stage[completion.key], verdict)
            for completion, verdict in zip(event.completions, verdicts, strict=True)
        ]
        steps = [
            span
            for attempt, verdict in zip(attempts, verdicts, strict=True)
            for span in _spans(exam, attempt, verdict, writing)
        ]
        examiner.keep([*attempts, *steps])
        # Restarted here, so that the time of a batch does not include judging and storing the one before.
        watch = Stopwatch()
        answered.update({attempt.id: attempt for attempt in attempts})
        examiner.listener.advanced(_progress(exam, answered, earlier, len(stage)))

    examiner.listener.advanced(_progress(exam, answered, earlier, len(stage)))
    if len(answered) < len(stage):
        task = GenerateTask(
            student=exam.student,
            requests=tuple(request(exam, key, *asked) for key, asked in stage.items()),
            config=exam.config,
            device=examiner.device,
            done=frozenset(answered),  # all requests are passed on: batches depend on the whole list
        )
        examiner.engine.run(task, on_event, examiner.should_stop)
    return answered


def request(exam: Exam, key: str, question: Question, ask: Ask) -> Request:
    text = question.problem.question
    if question.plans:
        text = f"{text}\n{question.plans[ask.sample]}"
    return Request(
        key=key,
        question=text,
        cue=exam.cue or thought(ask.thought).cue,
        shots=question.shots or exam.shots,
        sample=ask.sample,
    )


def _key(exam: Exam, question: Question, ask: Ask) -> str:
    return attempt_id(
        problem_id=question.problem.id,
        round=exam.round,
        purpose=exam.purpose,
        evaluation=question.evaluation,
        thought=ask.thought,
        sample=ask.sample,
    )


def judge(exam: Exam, completions: Sequence[Completion], stage: Stage, verifier: Verifier) -> list[Verdict]:
    """Judges practice texts as rationales, because they may be taught, and all others as answers."""
    asked = [(*stage[completion.key], completion) for completion in completions]
    if exam.purpose == "practice":
        return verifier.judge_rationales(
            (ask.thought, completion.text, question.problem, completion.finished)
            for question, ask, completion in asked
        )
    return verifier.judge_attempts(
        (ask.thought, completion.text, question.problem.answer, completion.finished)
        for question, ask, completion in asked
    )


def _attempt(
    exam: Exam, completion: Completion, asked: tuple[Question, Ask], verdict: Verdict
) -> AttemptRecord:
    question, ask = asked
    return AttemptRecord(
        id=completion.key,
        problem_id=question.problem.id,
        round=exam.round,
        purpose=exam.purpose,
        evaluation=question.evaluation,
        thought=ask.thought,
        sample=ask.sample,
        text=completion.text,
        reason=verdict.reason,
        value=verdict.value,
        form=verdict.form,
        new_tokens=completion.new_tokens,
        finished=completion.finished,
        model=exam.model,
        backend=exam.config.backend,
        seed=exam.config.seed,
    )


def _spans(exam: Exam, attempt: AttemptRecord, verdict: Verdict, writing: Timing) -> list[SpanRecord]:
    """Builds the spans of an answer and of its judging. An answer takes as long as its whole batch."""
    phase = spans.Stage(exam.during, exam.phase)
    answer = phase.span(
        "agent",
        f"answer {attempt.thought}",
        writing,
        status="finished" if attempt.finished else "cut off",
        problem=attempt.problem_id,
        agent="student",
        subject=attempt.id,
    )
    judged = phase.judged(
        verdict, attempt.thought, parent=answer.id, problem=attempt.problem_id, subject=attempt.id
    )
    return [answer, *judged]


def _progress(exam: Exam, answered: Mapping[str, AttemptRecord], earlier: int, asked: int) -> Progress:
    right = sum(attempt.reason.accepted for attempt in answered.values())
    note = f"{right} of {len(answered)} right" if answered else ""
    done, total = earlier + len(answered), earlier + asked
    return Progress(round=exam.during, phase=exam.phase, done=done, total=total, note=note)


def choose_shots(context: RunContext, *, planning: bool) -> tuple[Example, ...]:
    """Draws accepted rationales of round 0 from the shorter half, so that the prompt stays short."""
    settings = context.settings
    lessons = context.store.training_set(round=0, thoughts=settings.thoughts[:1])
    lessons.sort(
        key=lambda lesson: (len(lesson.problem.question) + len(lesson.rationale.text), lesson.problem.id)
    )
    short = lessons[: max(settings.shots, len(lessons) // 2)]
    drawn = random.Random(f"shots {settings.seed}").sample(short, min(settings.shots, len(short)))
    return tuple(as_example(lesson, planning=planning) for lesson in drawn)
