"""Scores any student on any problem set, outside a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fdd.agents.evaluator import Majority, policy_of
from fdd.agents.thoughts import thought
from fdd.agents.verifier import UNCONFINED, Verifier
from fdd.domain import UNTAUGHT, Interval, PolicyName, Problem
from fdd.engines.engine import LOCAL
from fdd.graph.exam import Exam, Examiner, ask, check_grader, config_of
from fdd.matching import exact_form
from fdd.problems.contamination import GSM_SYMBOLIC
from fdd.problems.split import test_sets
from fdd.rundir.answers import Question, choose, grade, values_of
from fdd.rundir.listener import Listener
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.records import AttemptRecord, ProblemRecord, Record, evaluation_split
from fdd.storage.summary import EvaluationSummary, evaluation_summary
from fdd.training.config import Backend, Device, GenerateConfig
from fdd.training.fetch import student_path
from fdd.training.tasks import BackendTask


def score(
    student: str,
    problems: str,
    *,
    thoughts: Sequence[str],
    policy: PolicyName,
    policy_samples: int,
    policy_temperature: float,
    stronger: str | None,
    limit: int | None,
    seed: int,
    max_new_tokens: int | None,
    device: Device,
    backend: Backend,
    cache: Path,
    listener: Listener,
    should_stop: Callable[[], bool],
) -> list[EvaluationSummary]:
    """Returns the student's accuracy under a policy for each test set, with 95 % intervals.

    With `stronger`, that student answers the questions on which no more than half of this one's samples
    agree, which is how Adaptive-Solver (Zhou et al., arXiv 2310.01446) changes the model.

    Problems of `gsm-symbolic` that the student of a run was taught are left out: a run draws its seeds right
    after its test set, so a larger test set would overlap them. A problem that occurs twice is asked once.
    """
    for name in thoughts:
        thought(name)
    if backend == "vllm":
        LOCAL.run(BackendTask(device=device), lambda _: None)
    sets = test_sets(problems, limit=limit, seed=seed)
    questions = [
        Question(problem=ProblemRecord.of(problem, split=evaluation_split(name)), evaluation=name)
        for name, members in sets.items()
        for problem in _once(members, listener)
    ]
    for name in filter(None, (student, stronger) if problems == GSM_SYMBOLIC else ()):
        taught = _taught(Path(name))
        fresh = [each for each in questions if exact_form(each.problem.question) not in taught]
        if left := len(questions) - len(fresh):
            listener.noticed(f"{left} of {len(questions)} problems were taught to {name}: not asked")
        questions = fresh
    config = GenerateConfig(max_new_tokens=max_new_tokens, seed=seed, backend=backend)
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
    single = None
    if stronger is not None:
        path, once = student_path(stronger, cache), policy_of("single", thoughts, 1)
        single = replace(exam, student=path, model=stronger, policy=once, config=config)
    with Verifier(workers=2) as verifier:
        if not verifier.confined:
            listener.noticed(UNCONFINED)
        for name, members in sets.items():
            check_grader(verifier, name, members)
        examiner = Examiner(
            verifier=verifier,
            listener=listener,
            device=device,
            engine=LOCAL,
            should_stop=should_stop,
            keep=_forget,
        )
        attempts = ask(exam, questions, examiner, before={})
        chosen = choose(exam.policy, questions, attempts)
        passed_on: list[Question] = []
        if single is not None:
            assert isinstance(exam.policy, Majority)
            values = values_of(questions, attempts)
            passed_on = [each for each in questions if not exam.policy.is_sure(values[each])]
            answers = choose(single.policy, passed_on, ask(single, passed_on, examiner, before={}))
            chosen |= {question: value for question, value in answers.items() if value is not None}
            listener.noticed(f"{stronger} was asked {len(passed_on)} of {len(questions)} problems")
    summaries = [_summary(name, accuracy, attempts) for name, accuracy in grade(chosen).items()]
    if single is None:
        return summaries
    counts = Counter(question.evaluation for question in passed_on)
    return [{**each, "passed_on": counts[each["name"]]} for each in summaries]


def _once(problems: Sequence[Problem], listener: Listener) -> list[Problem]:
    """Removes repeated questions, so that no answer counts twice."""
    found: dict[str, Problem] = {}
    for problem in problems:
        found.setdefault(exact_form(problem.question), problem)
    if copies := len(problems) - len(found):
        listener.noticed(f"{copies} of {len(problems)} problems are copies of others: asked once each")
    return list(found.values())


def _taught(student: Path) -> set[str]:
    """Returns the exact forms of the questions that a run has taught; empty for a student outside a run."""
    # The run folder of `DIR/student` is one level up, that of `DIR/students/round-1` two levels.
    for folder in student.absolute().parents[:2]:
        if (folder / DATABASE).exists():
            store = open_store(folder)
            last = max((record.round for record in store.rounds()), default=0)
            return {exact_form(lesson.problem.question) for lesson in store.training_set(round=last)}
    return set()


def _forget(rows: Sequence[Record]) -> None:
    """Drops the rows: outside a run there is no store."""


def _summary(name: str, accuracy: Interval, attempts: Sequence[AttemptRecord]) -> EvaluationSummary:
    forms = [bool(attempt.form) for attempt in attempts if attempt.evaluation == name]
    return evaluation_summary(name, accuracy, sum(forms) / len(forms))
