"""Budgets are spent to the last problem, within their limits."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.allocation import MOST, allocate, harder_ones, needs_simpler, operator_for
from fdd.agents.profile import Probed, profile
from fdd.domain import AllocationName, Band, Operator

POLICIES: tuple[AllocationName, ...] = ("uniform", "balanced", "weak", "frontier", "progress", "oracle")
COUNTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=70)


def probes(counts: list[tuple[int, int]], *, taught: int = 2) -> list[Probed]:
    return [
        Probed(round=0, skill=f"skill-{number}", n=max(pair), correct=min(pair), taught=taught)
        for number, pair in enumerate(counts)
    ]


@given(counts=COUNTS, budget=st.integers(0, 400), policy=st.sampled_from(POLICIES))
def test_every_policy_spends_its_budget_and_forgets_or_spoils_no_skill(
    counts: list[tuple[int, int]], budget: int, policy: AllocationName
) -> None:
    now = profile(probes(counts), 0)
    plan = allocate(policy, now, {}, budget, Random(1))
    even = budget / len(now)
    assert sum(plan.values()) == budget
    assert plan.keys() == now.keys()
    assert all(int(even / 4) <= count <= MOST * even + 1 for count in plan.values())


def test_uniform_counts_differ_by_one_at_most() -> None:
    plan = allocate("uniform", profile(probes([(4, 0), (4, 4), (4, 2)]), 0), {}, 10, Random(1))
    assert sorted(plan.values()) == [3, 3, 4]


def test_balanced_gives_most_to_the_skills_with_the_fewest_examples_whatever_is_solved() -> None:
    few, many = (Probed(round=0, skill=f"{n} taught", n=8, correct=n, taught=n) for n in (2, 6))
    plan = allocate("balanced", profile([few, many], 0), {}, 8, Random(1))
    assert plan == {"2 taught": 6, "6 taught": 2}


def test_weak_gives_most_to_what_is_never_solved_and_frontier_to_what_sometimes_is() -> None:
    now = profile(probes([(8, 0), (8, 4), (8, 8)]), 0)
    weak, frontier = (allocate(policy, now, {}, 60, Random(1)) for policy in ("weak", "frontier"))
    assert weak["skill-0"] > weak["skill-1"] > weak["skill-2"]
    assert frontier["skill-1"] > max(frontier["skill-0"], frontier["skill-2"])


def test_progress_gives_most_to_what_was_learnt_last() -> None:
    def round_of(number: int, right: tuple[int, int]) -> list[Probed]:
        return [
            Probed(round=number, skill=name, n=50, correct=n) for name, n in zip("ab", right, strict=True)
        ]

    before, now = round_of(0, (5, 25)), round_of(1, (40, 25))
    plan = allocate("progress", profile([*before, *now], 1), profile(before, 0), 40, Random(1))
    assert plan["a"] > 2 * plan["b"]


@pytest.mark.parametrize(
    ("n", "correct", "taught", "overall", "simpler"),
    [
        (8, 0, 2, 0.5, True),
        (8, 1, 2, 0.5, False),
        (8, 0, 2, 0.4, False),  # it fails at others too, for want of training
        (2, 0, 2, 0.5, False),  # the student may need more of the same
        (8, 0, 0, 0.5, False),  # it was never taught, so that failing shows nothing
    ],
)
def test_a_skill_needs_simpler_problems_if_teaching_it_was_in_vain(
    n: int, correct: int, taught: int, overall: float, simpler: bool
) -> None:
    probed = Probed(round=0, skill="a", n=n, correct=correct, taught=taught)
    assert needs_simpler(profile([probed], 0)["a"], overall) is simpler


def test_the_share_of_harder_problems_grows_with_the_solve_rate() -> None:
    right = {"a": 300, "b": 100, "c": 0}
    now = profile([Probed(round=0, skill=name, n=400, correct=n) for name, n in right.items()], 0)
    assert harder_ones({"a": 8, "b": 8, "c": 8}, now) == {"a": 8, "b": 4, "c": 0}
    # Too few problems for a share of each skill: those solved most come first, and the sum is kept.
    assert harder_ones({"a": 1, "b": 1, "c": 1}, now) == {"a": 1, "b": 0, "c": 0}


def test_no_problem_is_made_harder_for_a_student_that_solved_nothing() -> None:
    assert harder_ones({"skill-0": 20, "skill-1": 20}, profile(probes([(2, 0), (2, 0)]), 0)) == {
        "skill-0": 0,
        "skill-1": 0,
    }


@pytest.mark.parametrize(
    ("band", "operator"),
    [(Band.EASY, Operator.HARDER), (Band.MIXED, Operator.SIMILAR), (Band.HARD, Operator.SIMILAR)],
)
def test_an_easy_problem_gets_a_harder_child_and_others_a_similar_one(band: Band, operator: Operator) -> None:
    assert operator_for(band) is operator
