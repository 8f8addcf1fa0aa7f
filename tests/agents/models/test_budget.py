"""Limits on what a run spends, with many calls in flight."""

from __future__ import annotations

import asyncio
import random

import pytest

from fdd.agents.models.budget import Budget
from fdd.agents.models.config import CallConfig
from fdd.domain import Usage
from fdd.errors import LimitReachedError
from tests.agents.models.virtual import run

WORST = Usage(calls=1, prompt_tokens=100, completion_tokens=100, cost_usd=0.01)


async def spend(budget: Budget, calls: int, seed: int = 0) -> int:
    """Make calls at once that cost up to WORST each; gives how many were not let through."""
    chance = random.Random(seed)

    async def call() -> None:
        share = chance.uniform(0.1, 1)
        async with budget.reserve(WORST):
            await asyncio.sleep(chance.random())
            usage = Usage(
                calls=1, prompt_tokens=100, completion_tokens=int(100 * share), cost_usd=0.01 * share
            )
            budget.spent += usage

    ended = await asyncio.gather(*(call() for _ in range(calls)), return_exceptions=True)
    return sum(isinstance(end, LimitReachedError) for end in ended)


@pytest.mark.parametrize("seed", range(5))
def test_money_is_at_most_one_call_over_and_not_one_call_below(seed: int) -> None:
    budget = Budget(CallConfig(max_cost=0.5))
    assert run(spend(budget, 300, seed)) > 0
    assert 0.5 <= budget.spent.cost_usd < 0.5 + 0.01


def test_tokens_are_at_most_one_call_over() -> None:
    budget = Budget(CallConfig(max_tokens=5000))
    assert run(spend(budget, 300)) > 0
    assert 5000 <= budget.spent.tokens < 5200


def test_calls_are_never_over() -> None:
    budget = Budget(CallConfig(max_calls=37))
    assert run(spend(budget, 300)) == 300 - 37
    assert budget.spent.calls == 37


def test_a_limit_smaller_than_one_call_lets_one_through() -> None:
    budget = Budget(CallConfig(max_cost=0.0001))
    assert run(spend(budget, 10)) == 9


def test_without_limits_nothing_waits() -> None:
    async def scenario() -> float:
        await spend(Budget(CallConfig()), 100)
        return asyncio.get_running_loop().time()

    assert run(scenario()) <= 1


def test_what_an_interrupted_run_had_spent_counts() -> None:
    budget = Budget(CallConfig(max_calls=40), Usage(calls=35, cost_usd=1.25))
    run(spend(budget, 10))
    assert budget.spent.calls == 40


def test_the_line_names_the_limit_what_was_spent_and_how_to_go_on() -> None:
    budget = Budget(
        CallConfig(max_cost=2), Usage(calls=412, prompt_tokens=9000, completion_tokens=1000, cost_usd=2.013)
    )

    async def scenario() -> None:
        async with budget.reserve(WORST):
            raise AssertionError

    with pytest.raises(LimitReachedError) as reached:
        run(scenario())
    assert str(reached.value) == (
        "--max-cost 2 is reached: 412 calls with 10000 tokens have cost $2.013; "
        "go on with a higher one: resume DIR --max-cost N"
    )


def test_a_call_that_fails_frees_what_was_kept_for_it() -> None:
    budget = Budget(CallConfig(max_calls=1))

    async def scenario() -> None:
        with pytest.raises(ConnectionError):
            async with budget.reserve(WORST):
                raise ConnectionError
        async with budget.reserve(WORST):
            budget.spent += WORST

    run(scenario())
    assert budget.spent.calls == 1
