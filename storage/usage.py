"""Tokens and cost of a run's calls, by round and agent, in the form that `report --json` prints."""

from __future__ import annotations

from math import fsum
from typing import TypedDict, cast

import duckdb

_STATUSES = ("answered", "malformed", "truncated", "filtered", "failed", "refused")
_ASKED_A_MODEL = "prompt_tokens + completion_tokens > 0 OR status NOT IN ('answered', 'refused')"
"""Agents without a model only answer or refuse, and use no tokens."""


class AgentUsage(TypedDict):
    """The calls of one agent in one round; tokens are of all calls, whichever run paid for them."""

    round: int
    agent: str
    calls: int
    paid: int
    """Calls that this run paid for. Replies to the others came from the cache or cost nothing."""
    answered: int
    malformed: int
    truncated: int
    filtered: int
    failed: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    """What this run paid."""


class TotalUsage(TypedDict):
    """Sums over rounds and agents."""

    calls: int
    paid: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class CostSummary(TypedDict):
    """The calls to language models; agents without a model are left out."""

    total: TotalUsage
    by_agent: list[AgentUsage]


def usage_by_agent(connection: duckdb.DuckDBPyConnection) -> list[AgentUsage]:
    return _usage(connection, "true")


def summarize_cost(connection: duckdb.DuckDBPyConnection) -> CostSummary:
    agents = _usage(connection, _ASKED_A_MODEL)
    return {
        "total": {
            "calls": sum(row["calls"] for row in agents),
            "paid": sum(row["paid"] for row in agents),
            "prompt_tokens": sum(row["prompt_tokens"] for row in agents),
            "completion_tokens": sum(row["completion_tokens"] for row in agents),
            "cost_usd": fsum(row["cost_usd"] for row in agents),
        },
        "by_agent": agents,
    }


def _usage(connection: duckdb.DuckDBPyConnection, where: str) -> list[AgentUsage]:
    statuses = ", ".join(f"count(*) FILTER (status = '{status}') AS {status}" for status in _STATUSES)
    rows = connection.execute(
        f"""
        SELECT round, agent, count(*) AS calls, count(*) FILTER (paid) AS paid, {statuses},
               sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
               fsum(cost_usd) AS cost_usd
        FROM calls WHERE {where} GROUP BY round, agent ORDER BY round, agent
        """
    )
    names = [column[0] for column in rows.description or ()]
    return cast("list[AgentUsage]", [dict(zip(names, row, strict=True)) for row in rows.fetchall()])
