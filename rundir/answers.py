"""The answers of a round's student in an evaluation, problem by problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.evaluator import Ask, Policy, policy_of
from fdd.agents.statistics import wilson
from fdd.domain import UNTAUGHT, Interval
from fdd.settings import Settings
from fdd.storage.records import AttemptRecord, ProblemRecord, evaluation_name, evaluation_split, is_asked
from fdd.storage.store import Store
from fdd.training.tasks import Example


@dataclass(frozen=True, kw_only=True)
class Question:
    """One problem of the exam, and the evaluation it belongs to (empty for a probe)."""

    problem: ProblemRecord
    evaluation: str = ""
    plans: tuple[str, ...] = ()
    """One plan per sample, appended to the question; empty if the question is asked alone."""
    shots: tuple[Example, ...] = ()
    """Worked examples before this question; if empty, those of the exam."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A problem of an evaluation set and the student's answer to it."""

    problem: ProblemRecord
    value: Fraction | None
    """The value that the policy chose; None if the student gave none."""

    @property
    def right(self) -> bool:
        return self.value == self.problem.answer


def policy_at(round: int, settings: Settings) -> Policy:
    """Returns the policy of evaluations. For the untaught student (round -1) it is always `single`, because
    its prompt has worked examples in one thought only.
    """
    name = "single" if round == UNTAUGHT else settings.policy
    return policy_of(name, settings.thoughts, settings.policy_samples)


def asked(store: Store, evaluations: Collection[str] | None = None) -> list[Question]:
    """Returns the problems of these evaluation sets as questions; None means all sets."""
    splits = None if evaluations is None else [evaluation_split(name) for name in evaluations]
    return [
        Question(problem=problem, evaluation=evaluation_name(problem.split))
        for problem in store.problems(splits=splits)
        if is_asked(problem.split)
    ]


def answers_of(
    round: int, settings: Settings, store: Store, evaluations: Collection[str]
) -> dict[str, dict[str, Graded]]:
    """Returns by evaluation and problem id the answers of this round's student (-1: the untaught one).

    Problems that it was not asked are left out.
    """
    attempts = store.attempts(round=round, purpose="baseline" if round == UNTAUGHT else "evaluation")
    answered = {(attempt.evaluation, attempt.problem_id) for attempt in attempts}
    questions = [each for each in asked(store, evaluations) if (each.evaluation, each.problem.id) in answered]
    chosen = choose(policy_at(round, settings), questions, attempts)
    graded: defaultdict[str, dict[str, Graded]] = defaultdict(dict)
    for question, value in chosen.items():
        graded[question.evaluation][question.problem.id] = Graded(question.problem, value)
    return graded


def changes(before: Mapping[str, Graded], now: Mapping[str, Graded]) -> tuple[list[str], list[str]]:
    """Returns the ids of problems right only now, and of those right only before, among those in both."""
    both = sorted(before.keys() & now.keys())
    gained = [key for key in both if now[key].right and not before[key].right]
    lost = [key for key in both if before[key].right and not now[key].right]
    return gained, lost


def grade(chosen: Mapping[Question, Fraction | None]) -> dict[str, Interval]:
    """Returns the accuracy by evaluation of the answers that were chosen, with a 95 % Wilson interval."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for question, value in chosen.items():
        right[question.evaluation].append(value == question.problem.answer)
    return {name: wilson(sum(found), len(found)) for name, found in sorted(right.items())}


def choose(
    policy: Policy, questions: Sequence[Question], attempts: Sequence[AttemptRecord]
) -> dict[Question, Fraction | None]:
    """Returns the value that the policy chooses for each question; None if the student gave none."""
    return {question: policy.choose(values) for question, values in values_of(questions, attempts).items()}


def values_of(
    questions: Sequence[Question], attempts: Sequence[AttemptRecord]
) -> dict[Question, dict[Ask, Fraction | None]]:
    """Returns the values that were given to each question."""
    values: defaultdict[tuple[str, str], dict[Ask, Fraction | None]] = defaultdict(dict)
    for attempt in attempts:
        values[attempt.evaluation, attempt.problem_id][Ask(attempt.thought, attempt.sample)] = attempt.value
    return {question: values[question.evaluation, question.problem.id] for question in questions}
