"""Requests to models and their replies: plain types shared by agents, clients and providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeVar

from fdd.domain import content_hash

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One request to a model; equal requests share one reply."""

    agent: str
    """The agent that asks: `teacher`, `synthesizer`, `verifier`. Costs are counted under this name."""
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    sample: int = 0
    """Distinguishes several replies to the same messages."""
    prompt_hash: str = ""
    """Identifies the prompt file, examples included, that the messages were made from."""

    @property
    def settings_hash(self) -> str:
        return content_hash(repr(self.temperature), str(self.max_tokens))

    def key(self, model: ChatModel) -> str:
        """Hash under which the reply is stored; neither the agent nor the prompt's hash is part of it."""
        turns = [part for message in self.messages for part in (message.role, message.content)]
        return content_hash(model.name, model.address, self.settings_hash, str(self.sample), *turns)


class Finish(StrEnum):
    """Why a model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    """The reply reached `max_tokens`; the rest of it is unknown."""
    FILTERED = "filtered"
    """The provider withheld the reply."""
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReply:
    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


class Fault(StrEnum):
    """What went wrong with a request to a model."""

    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    OVERLOADED = "overloaded"
    """HTTP 503 or 529."""
    SERVER_ERROR = "server_error"
    """Any other 5xx."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """No connection, or one that broke before the reply was complete."""
    UNREADABLE = "unreadable"
    """A reply that does not follow the protocol."""
    REJECTED = "rejected"
    """The server does not accept this request (another 4xx); other requests may succeed."""
    DENIED = "denied"
    """No key, a wrong key, no credit, or no such model (401 to 404): no request can succeed."""


class CallError(Exception):
    """A request to a model failed; `detail` is one line without keys."""

    def __init__(self, fault: Fault, detail: str, retry_after: float | None = None) -> None:
        """`retry_after` is the wait in seconds that the server asked for."""
        super().__init__(f"{fault}: {detail}")
        self.fault, self.detail, self.retry_after = fault, detail, retry_after


class ChatModel(Protocol):
    """A model behind some provider's interface."""

    name: str
    """Provider and model: `openai:gpt-4o-mini`."""
    address: str
    """URL of the user's own server; a hash of the weights of a local model; empty for the provider's."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Send one request; raises `CallError`."""
        ...

    async def close(self) -> None:
        """Close the connections, in the event loop that used them."""
        ...


class CallStatus(StrEnum):
    ANSWERED = "answered"
    TRUNCATED = "truncated"
    """The reply reached its length limit; such a text is never used."""
    FILTERED = "filtered"
    MALFORMED = "malformed"
    """The reply is not in the form that was asked for."""
    REFUSED = "refused"
    """An agent that uses no model declined."""
    FAILED = "failed"
    """No reply, after every try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, every try of it, and what it cost."""

    key: str
    request: ModelRequest
    model: str
    status: CallStatus
    reply: ModelReply | None
    """None if the status is FAILED."""
    detail: str = ""
    tries: int
    """Requests that the paying run sent for this call."""
    paid: bool
    """True if this run paid for the call, False if another run had."""
    cost_usd: float
    seconds: float
    started: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[T_co]):
    """An agent's result, with the calls it took."""

    content: T_co
    calls: tuple[Call, ...] = ()
