"""What is asked of a model and what comes back: plain types between agents, caller and provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeVar

from domain import content_hash

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One question to a model; two that are equal have one answer."""

    agent: str
    """Who asks: `teacher`, `synthesizer`, `verifier`. Its costs are counted under this name."""
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    """Longest reply."""
    sample: int = 0
    """Tells several answers to the same messages apart."""
    prompt_hash: str = ""
    """Identifies the prompt file, examples included, that the messages were made from."""

    @property
    def settings_hash(self) -> str:
        return content_hash(repr(self.temperature), str(self.max_tokens))

    def key(self, model: ChatModel) -> str:
        """Address of the answer by content: whoever asks the same gets the same."""
        turns = [part for message in self.messages for part in (message.role, message.content)]
        return content_hash(model.name, model.address, self.settings_hash, str(self.sample), *turns)


class Finish(StrEnum):
    """Why a model stopped writing."""

    STOP = "stop"
    """It had said everything."""
    LENGTH = "length"
    """It came to `max_tokens`: what it would have gone on to say is unknown."""
    FILTERED = "filtered"
    """Its provider withheld the reply."""
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReply:
    """What a model answered to one request."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


class Fault(StrEnum):
    """What went wrong on the way to a model."""

    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    OVERLOADED = "overloaded"
    """HTTP 503 or 529."""
    SERVER_ERROR = "server_error"
    """Any other 5xx."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """No connection, or one that broke before the whole reply was there."""
    UNREADABLE = "unreadable"
    """A reply that is not what the protocol asks for."""
    REJECTED = "rejected"
    """The server will not answer this request (another 4xx); others may be well."""
    DENIED = "denied"
    """No key, a wrong key, no credit, or no such model (401 to 404): no request will be well."""


class CallError(Exception):
    """A model could not be asked; `detail` is one line without keys."""

    def __init__(self, fault: Fault, detail: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds that the server asked to be left alone."""
        super().__init__(f"{fault}: {detail}")
        self.fault, self.detail, self.retry_after = fault, detail, retry_after


class ChatModel(Protocol):
    """A model behind some provider's interface."""

    @property
    def name(self) -> str:
        """Provider and model: `openai:gpt-4o-mini`."""
        ...

    @property
    def address(self) -> str:
        """URL of a server of one's own; empty for the provider's usual one."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once; raises `CallError`."""
        ...

    async def close(self) -> None:
        """Let go of the connections, in the event loop in which it was asked."""
        ...


class CallStatus(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    """The reply came to its length limit; such a text is never used."""
    FILTERED = "filtered"
    """The provider withheld the reply."""
    MALFORMED = "malformed"
    """The reply is not in the form that was asked for."""
    REFUSED = "refused"
    """An agent without a model declined."""
    FAILED = "failed"
    """No reply, after every try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, every try of it, and what it cost."""

    key: str
    """`ModelRequest.key`"""
    request: ModelRequest
    model: str
    status: CallStatus
    reply: ModelReply | None
    """None where the status is FAILED."""
    detail: str = ""
    """What went wrong, in one line."""
    tries: int
    """Requests sent for it by whoever paid for it."""
    paid: bool
    """This run paid for it; False where another run had."""
    cost_usd: float
    """What this run paid."""
    seconds: float
    started: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[T_co]):
    """What an agent gives back, with the calls it took."""

    content: T_co
    calls: tuple[Call, ...] = ()
    """Empty for an agent that asks no model."""
