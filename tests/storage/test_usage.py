"""What calls used and cost, by round and agent, and for the whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd.storage.records import CallRecord
from fdd.storage.store import Store
from fdd.storage.summary import usage_by_agent
from tests.storage.samples import RUN, call


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "fdd.duckdb", RUN)


def free(sample: int, **more: object) -> CallRecord:
    """A request to an agent that asks no model."""
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0, "tries": 0, "paid": False}
    return call(sample, model="symbolic", **{**nothing, **more})


def test_usage_is_told_by_round_and_agent(store: Store) -> None:
    store.add([call(0, round=1), call(1), call(2, agent="synthesizer"), call(3)])
    rows = [(row["round"], row["agent"], row["calls"]) for row in store.read(usage_by_agent)]
    assert rows == [(0, "synthesizer", 1), (0, "teacher", 2), (1, "teacher", 1)]


def test_usage_counts_every_status_and_adds_up_tokens_and_money(store: Store) -> None:
    statuses = ("answered", "answered", "malformed", "truncated", "filtered", "failed")
    store.add(call(sample, status=status) for sample, status in enumerate(statuses))
    store.add([call(6, paid=False, cost_usd=0.0), free(7, status="refused")])
    assert store.read(usage_by_agent) == [
        {
            "round": 0,
            "agent": "teacher",
            "calls": 8,
            "paid": 6,
            "answered": 3,
            "malformed": 1,
            "truncated": 1,
            "filtered": 1,
            "failed": 1,
            "refused": 1,
            "prompt_tokens": 7 * 300,
            "completion_tokens": 7 * 120,
            "cost_usd": 3.0,
        }
    ]


def test_a_run_without_calls_has_used_nothing(store: Store) -> None:
    assert store.read(usage_by_agent) == []
    cost = store.summary()["cost"]
    assert cost["total"] == {
        "calls": 0,
        "paid": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost_usd": 0.0,
    }
    assert cost["by_agent"] == []


def test_the_summary_adds_up_the_rounds_and_agents(store: Store) -> None:
    store.add([call(0), call(1, round=1), call(2, agent="synthesizer", round=1, paid=False, cost_usd=0.0)])
    cost = store.summary()["cost"]
    assert cost["by_agent"] == store.read(usage_by_agent)
    assert cost["total"] == {
        "calls": 3,
        "paid": 2,
        "prompt_tokens": 900,
        "completion_tokens": 360,
        "cost_usd": 1.0,
    }


@pytest.mark.parametrize("status", ["answered", "refused"])
def test_the_summary_leaves_out_agents_that_ask_no_model(store: Store, status: str) -> None:
    store.add([free(0, status=status), call(1, agent="synthesizer")])
    cost = store.summary()["cost"]
    assert [row["agent"] for row in cost["by_agent"]] == ["synthesizer"]
    assert cost["total"]["calls"] == 1


def test_the_summary_counts_a_call_that_failed_before_any_token(store: Store) -> None:
    store.add([free(0, status="failed", tries=5)])
    assert store.summary()["cost"]["total"]["calls"] == 1
