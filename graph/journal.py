"""Keeps the journal of a run: a row for each request to an agent, an event for each phase."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import wraps
from typing import Protocol, cast

from langgraph.runtime import Runtime

from errors import StoppedError
from graph.state import RunContext, RunState, RunUpdate
from storage.records import CallRecord, Json, call_id


class Node(Protocol):
    """A node of the outer graph."""

    __name__: str

    def __call__(self, state: RunState, runtime: Runtime[RunContext]) -> RunUpdate: ...


def logged(node: Node) -> Node:
    """The node, with an event in the store when it starts and when it finishes or is interrupted."""

    @wraps(node)
    def phase(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
        store, name = runtime.context.store, node.__name__
        store.log(round=state.round, phase=name, kind="started")
        try:
            update = node(state, runtime)
        except StoppedError:
            store.log(round=state.round, phase=name, kind="interrupted")
            raise
        store.log(round=state.round, phase=name, kind="finished", detail=cast("Mapping[str, Json]", update))
        return update

    return phase


def call_of(
    agent: str,
    model: str,
    prompt_hash: str,
    *,
    round: int,
    seed: int,
    sample: int,
    answered: bool,
    started: datetime,
    seconds: float,
) -> CallRecord:
    """A request to an agent that needs no tokens and no money."""
    key = call_id(
        agent=agent, model=model, prompt_hash=prompt_hash, settings_hash="", seed=seed, sample=sample
    )
    return CallRecord(
        id=key,
        round=round,
        agent=agent,
        model=model,
        prompt_hash=prompt_hash,
        settings_hash="",
        seed=seed,
        sample=sample,
        status="answered" if answered else "refused",
        prompt_tokens=0,
        completion_tokens=0,
        cost_usd=0.0,
        seconds=seconds,
        started=started,
    )
