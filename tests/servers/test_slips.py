"""Slips give a wrong answer, and the arithmetic that leads to it is right."""

import random

import pytest

from fdd.agents.thoughts import known, thought
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Reason
from tests.agents.symbolic.parents import PARENTS, read
from tests.servers.slips import slipped

SLIPS = 12


@pytest.mark.parametrize("name", known())
@pytest.mark.parametrize("problem", PARENTS, ids=lambda problem: problem.id)
def test_a_slip_is_consistent_in_itself_and_comes_to_a_wrong_answer(
    problem: Problem, name: str, verifier: Verifier
) -> None:
    for seed in range(SLIPS):
        wrong = slipped(read(problem), random.Random(seed))
        assert wrong is not None
        text = thought(name).render(wrong)
        assert verifier.judge(name, text, wrong.answer).accepted
        assert verifier.judge(name, text, problem.answer).reason is Reason.WRONG_ANSWER


@pytest.mark.parametrize("problem", PARENTS, ids=lambda problem: problem.id)
def test_slips_do_not_all_come_to_the_same_answer(problem: Problem) -> None:
    wrong = [slipped(read(problem), random.Random(seed)) for seed in range(SLIPS)]
    assert len({derivation.answer for derivation in wrong if derivation}) >= 4


def test_a_slip_leaves_what_came_before_it_alone() -> None:
    right = read(PARENTS[1])
    for seed in range(SLIPS):
        wrong = slipped(right, random.Random(seed))
        assert wrong is not None
        changed = [new.value != old.value for new, old in zip(wrong.steps, right.steps, strict=True)]
        first = changed.index(True)
        assert wrong.steps[:first] == right.steps[:first]
