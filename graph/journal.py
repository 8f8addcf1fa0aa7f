"""Builds the log of a run: a row per request to an agent and per copy kept out, and events for each phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Protocol, cast

from langgraph.runtime import Runtime

from fdd.agents.models.request import Call, CallStatus
from fdd.domain import Operator, Timing, short_id
from fdd.errors import StoppedError, StoreError
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.problems.contamination import Leak
from fdd.storage.records import (
    CallRecord,
    ContaminationRecord,
    Json,
    TranscriptRecord,
    call_id,
    contamination_id,
)


class Node(Protocol):
    """A node of the outer graph."""

    __name__: str

    def __call__(self, state: RunState, runtime: Runtime[RunContext]) -> RunUpdate: ...


def logged(node: Node) -> Node:
    """Wraps a node so that it stores an event when it starts and when it ends.

    It is `interrupted` by `StoppedError`, and has `failed` with any other error.
    """

    @wraps(node)
    def phase(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
        store, name = runtime.context.store, node.__name__
        store.log(round=state.round, phase=name, kind="started")
        try:
            update = node(state, runtime)
        except Exception as error:
            with suppress(StoreError):  # must not replace the error of the phase
                kind = "interrupted" if isinstance(error, StoppedError) else "failed"
                store.log(round=state.round, phase=name, kind=kind)
            raise
        store.log(round=state.round, phase=name, kind="finished", detail=cast("Mapping[str, Json]", update))
        return update

    return phase


def calls_to_models(calls: Sequence[Call], *, round: int, problem_id: str | None) -> list[CallRecord]:
    """Builds the rows of the requests that one lesson task, draft or label took. The last one decided.

    A failed request gets another id than the same request gets if it is answered after an interruption.
    """
    return [
        CallRecord(
            id=short_id(
                *("c", call.key, call.request.agent, str(round), problem_id or ""),
                *([call.status] if call.status is CallStatus.FAILED else []),
            ),
            round=round,
            agent=call.request.agent,
            model=call.model,
            prompt_hash=call.request.prompt_hash,
            settings_hash=call.request.settings_hash,
            seed=call.request.sample,  # models that take a seed are sent the number of the sample
            sample=call.request.sample,
            status=call.status,
            prompt_tokens=call.reply.prompt_tokens if call.reply else 0,
            completion_tokens=call.reply.completion_tokens if call.reply else 0,
            cost_usd=call.cost_usd,
            seconds=call.seconds,
            started=call.started,
            problem_id=problem_id,
            tries=call.tries,
            paid=call.paid,
            detail=call.detail,
        )
        for call in calls
    ]


def transcripts(calls: Sequence[Call], rows: Sequence[CallRecord]) -> list[TranscriptRecord]:
    """Builds the rows with the exact prompts and replies of these calls; `rows` are their call rows."""
    return [
        TranscriptRecord(
            call_id=row.id,
            request={
                "messages": [
                    {"role": message.role, "content": message.content} for message in call.request.messages
                ],
                "temperature": call.request.temperature,
                "max_tokens": call.request.max_tokens,
            },
            reply=call.reply.text if call.reply else None,
            finish=call.reply.finish if call.reply else "",
        )
        for call, row in zip(calls, rows, strict=True)
    ]


def call_without_model(
    agent: str,
    name: str,
    prompt_hash: str,
    *,
    round: int,
    seed: int,
    sample: int,
    answered: bool,
    timing: Timing,
    problem_id: str,
) -> CallRecord:
    """Builds the row of a request to an agent that is not a model, so that it costs no tokens or money."""
    return CallRecord(
        id=call_id(
            agent=agent, model=name, prompt_hash=prompt_hash, settings_hash="", seed=seed, sample=sample
        ),
        round=round,
        agent=agent,
        model=name,
        prompt_hash=prompt_hash,
        settings_hash="",
        seed=seed,
        sample=sample,
        status=CallStatus.ANSWERED if answered else CallStatus.REFUSED,
        prompt_tokens=0,
        completion_tokens=0,
        cost_usd=0.0,
        seconds=timing.seconds,
        started=timing.started,
        problem_id=problem_id,
    )


def kept_out(
    leak: Leak, *, round: int, parent: str | None = None, operator: Operator | None = None
) -> ContaminationRecord:
    """Builds the row of a question that copies an evaluation problem.

    `parent` is the id of the problem that it was made from, and `operator` is how; both None for a seed.
    """
    return ContaminationRecord(
        id=contamination_id(round=round, question=leak.question, parent=parent),
        round=round,
        question=leak.question,
        parent=parent,
        problem_id=leak.match.problem.id,
        kind=leak.match.kind,
        overlap=leak.match.overlap,
        operator=operator,
    )
