"""The answers of a round's student in an evaluation, problem by problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.evaluator import Policy
from fdd.graph.exam import Question, choose, policy_of
from fdd.graph.state import UNTAUGHT
from fdd.settings import Settings
from fdd.storage.records import ProblemRecord, evaluation_name, evaluation_split, is_asked
from fdd.storage.store import Store


@dataclass(frozen=True, slots=True)
class Marked:
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


def sat(
    round: int, settings: Settings, store: Store, evaluations: Collection[str]
) -> dict[str, dict[str, Marked]]:
    """Returns by evaluation and problem id the answers of this round's student (-1: the untaught one).

    Problems that it was not asked are left out.
    """
    attempts = store.attempts(round=round, purpose="baseline" if round == UNTAUGHT else "evaluation")
    answered = {(attempt.evaluation, attempt.problem_id) for attempt in attempts}
    questions = [each for each in asked(store, evaluations) if (each.evaluation, each.problem.id) in answered]
    chosen = choose(policy_at(round, settings), questions, attempts)
    marks: defaultdict[str, dict[str, Marked]] = defaultdict(dict)
    for question, value in chosen.items():
        marks[question.evaluation][question.problem.id] = Marked(question.problem, value)
    return marks


def changes(before: Mapping[str, Marked], now: Mapping[str, Marked]) -> tuple[list[str], list[str]]:
    """Returns the ids of problems right only now, and of those right only before, among those in both."""
    both = sorted(before.keys() & now.keys())
    gained = [key for key in both if now[key].right and not before[key].right]
    lost = [key for key in both if before[key].right and not now[key].right]
    return gained, lost
