"""Stored replies: the interface of the call cache, and the conversion between calls and its entries."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Protocol

from fdd.agents.models.request import Call, CallStatus, Finish, ModelReply, ModelRequest
from fdd.domain import StoredReply

DETAILS = {
    CallStatus.TRUNCATED: "the reply came to its length limit",
    CallStatus.FILTERED: "the provider withheld the reply",
}


class ReplyCache(Protocol):
    """Replies by a hash of the request's content; runs share them."""

    def get(self, key: str) -> StoredReply | None: ...

    def put(self, reply: StoredReply) -> StoredReply:
        """Store a reply; return the first one stored for its key, which counts from now on."""
        ...


def to_cache(call: Call, run: str) -> StoredReply:
    """The cache entry for a call that has a reply."""
    assert call.reply is not None
    request = call.request
    return StoredReply(
        key=call.key,
        run=run,
        agent=request.agent,
        model=call.model,
        status=call.status,
        **asdict(call.reply),
        cost_usd=call.cost_usd,
        tries=call.tries,
        seconds=call.seconds,
        started=call.started,
        prompt=json.dumps([asdict(message) for message in request.messages], ensure_ascii=False),
        settings=json.dumps(
            {"temperature": request.temperature, "max_tokens": request.max_tokens, "sample": request.sample}
        ),
    )


def reply_of(stored: StoredReply) -> ModelReply:
    return ModelReply(
        text=stored.text,
        finish=Finish(stored.finish),
        prompt_tokens=stored.prompt_tokens,
        completion_tokens=stored.completion_tokens,
    )


def from_cache(stored: StoredReply, request: ModelRequest, run: str) -> Call:
    """The call that the stored reply answers; it is paid only if `run`, which asks now, stored it."""
    paid, status = stored.run == run, CallStatus(stored.status)
    return Call(
        key=stored.key,
        request=request,
        model=stored.model,
        status=status,
        reply=reply_of(stored),
        detail=DETAILS.get(status, ""),
        tries=stored.tries,
        paid=paid,
        cost_usd=stored.cost_usd if paid else 0.0,
        seconds=stored.seconds,
        started=stored.started,
    )
