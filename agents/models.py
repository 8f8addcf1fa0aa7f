"""Language models of any provider, by way of LangChain: the only file that knows a provider."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from agents.calling.request import CallError, Fault, Finish, ModelReply, ModelRequest
from errors import UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from openai import DefaultAsyncHttpxClient as AsyncHttpxClient

OPENAI = "openai"
OPENAI_ADDRESS = "https://api.openai.com/v1"
"""Always said, so that no variable of the environment sends requests elsewhere than the run's record says."""

KEYS = {
    OPENAI: ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "cohere": ("COHERE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistralai": ("MISTRAL_API_KEY",),
    "nvidia": ("NVIDIA_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "perplexity": ("PPLX_API_KEY", "PERPLEXITY_API_KEY"),
    "together": ("TOGETHER_API_KEY",),
    "upstage": ("UPSTAGE_API_KEY",),
    "xai": ("XAI_API_KEY",),
}
"""Where providers keep their key, one of these; some would only miss it in the first request."""

SERVER_KEY = "FDD_SERVER_KEY"
"""Where the key of servers named by their URL is: a provider's own key is sent to nobody else."""
NO_KEY = "none"
"""Sent to servers of one's own that need no key: the client insists on one."""

SECRET = re.compile(r"(KEY|TOKEN|SECRET)S?$", re.IGNORECASE)
"""Names of variables whose values must not be shown."""
SHORTEST_SECRET = 8
"""Shorter values are too likely to stand in a text by chance."""

FINISHES = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "complete", "eos", "eos_token"), Finish.STOP),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), Finish.LENGTH),
    **dict.fromkeys(("content_filter", "refusal", "safety", "recitation", "language"), Finish.FILTERED),
    **dict.fromkeys(("blocklist", "prohibited_content", "spii", "content_filtered"), Finish.FILTERED),
}
"""Providers' words for why a model stopped, in small letters."""

FAULTS = {
    **dict.fromkeys((401, 402, 403, 404), Fault.DENIED),
    408: Fault.TIMEOUT,
    429: Fault.RATE_LIMITED,
    **dict.fromkeys((503, 529), Fault.OVERLOADED),
}
"""By HTTP status."""

NO_CREDIT = "insufficient_quota"
"""OpenAI's code in a 429 that waiting does not help."""

BROKEN = {"APIConnectionError", "TransportError", "ClientConnectionError", "ConnectionError"}
"""What libraries call the errors of a connection."""

LONGEST_DETAIL = 300
"""Characters."""

CHARACTERS_A_TOKEN = 4
"""For servers that do not count: about right for English, so that limits hold."""


def full_name(name: str, address: str) -> str:
    """`provider:model`, as records and prices have it; a server with an address speaks OpenAI's protocol."""
    return f"{OPENAI}:{name.removeprefix(f'{OPENAI}:')}" if address else name


def open_model(name: str, *, address: str = "", seconds: float) -> LangChainModel:
    """The model of this name; raises `UsageError` where it is clear before any request that none can be sent.

    `name` is `provider:model`, for any provider that LangChain knows. With the address of a server that
    speaks OpenAI's protocol (vLLM, Ollama, llama.cpp, `transformers serve`) the model's own name is enough.
    Keys come from the environment, that of a server with an address from `FDD_SERVER_KEY`. A request is given
    up after `seconds`.
    """
    provider, _, model = full_name(name, address).partition(":")
    if not provider or not model:
        example = "provider:model, for example openai:gpt-4o-mini, or give the URL of its server as well"
        raise UsageError(f"unknown model {name!r}: write {example}")
    keys = () if address else KEYS.get(provider, ())
    if keys and not any(os.environ.get(key) for key in keys):
        raise UsageError(f"the model {name!r} needs a key: set the environment variable {keys[0]}")
    return LangChainModel(provider, model, address, seconds)


class LangChainModel:
    """A `ChatModel`; belongs to the event loop in which it is first asked, and is closed there."""

    def __init__(self, provider: str, model: str, address: str, seconds: float) -> None:
        """Raises `UsageError` when the provider's package is missing or refuses the settings."""
        self.name, self.address = f"{provider}:{model}", address
        self._provider, self._model, self._seconds = provider, model, seconds
        self._client: AsyncHttpxClient | None = None
        self._chats: dict[tuple[float, int], BaseChatModel] = {}
        problem = ""
        try:
            self._chat(temperature=0.0, max_tokens=1)
        except ImportError as error:
            package = str(getattr(error.__cause__, "name", None) or error).replace("_", "-")
            problem = f"needs a package that is not installed: pip install {package}"
        except Exception as error:  # Every provider has errors of its own.
            problem = f"cannot be opened: {_line(error)}"
        if problem:
            raise UsageError(f"the model {self.name!r} {problem}")

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once; raises `CallError`, which carries nothing of the error that it stands for."""
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._invoke(request)
        except TimeoutError:
            failure = CallError(Fault.TIMEOUT, f"no reply in {self._seconds:g} s")
        except Exception as error:  # Every provider has errors of its own.
            failure = _explain(error)
        else:
            return _read(message, request)
        # Not raised above: the provider's error, whose request holds the key, would go along as its context.
        raise failure

    async def close(self) -> None:
        client, self._client = self._client, None
        self._chats.clear()
        if client is not None:
            await client.aclose()

    async def _invoke(self, request: ModelRequest) -> AIMessage:
        from langsmith.run_helpers import tracing_context

        chat = self._chat(request.temperature, request.max_tokens)
        messages = [(message.role, message.content) for message in request.messages]
        sample: dict[str, Any] = {"seed": request.sample} if self._provider == OPENAI else {}
        with tracing_context(enabled=False):
            return await chat.ainvoke(messages, config={"callbacks": []}, **sample)

    def _chat(self, temperature: float, max_tokens: int) -> BaseChatModel:
        """LangChain's client; settings are given to its constructor, where their names are standard."""
        if (temperature, max_tokens) not in self._chats:
            from langchain.chat_models import init_chat_model

            options = (
                self._openai_options(max_tokens) if self._provider == OPENAI else {"max_tokens": max_tokens}
            )
            self._chats[temperature, max_tokens] = init_chat_model(
                self._model,
                model_provider=self._provider,
                temperature=temperature,
                timeout=self._seconds,
                max_retries=0,
                **options,
            )
        return self._chats[temperature, max_tokens]

    def _openai_options(self, max_tokens: int) -> dict[str, Any]:
        import openai

        if self._client is None:
            # LangChain's own is shared by event loops, and breaks in the second.
            self._client = openai.DefaultAsyncHttpxClient(timeout=self._seconds)
        options: dict[str, Any] = {
            "base_url": self.address or OPENAI_ADDRESS,
            "http_async_client": self._client,
            "http_socket_options": (),
            "use_responses_api": False,
        }
        if not self.address:
            return {**options, "max_tokens": max_tokens}
        # LangChain would send `max_completion_tokens`, which some servers ignore.
        key = os.environ.get(SERVER_KEY) or NO_KEY
        return {**options, "api_key": key, "extra_body": {"max_tokens": max_tokens}}


def _read(message: AIMessage, request: ModelRequest) -> ModelReply:
    # Lone surrogates, which JSON can write, could not be stored.
    text = _without_secrets(str(message.text).encode("utf-8", "replace").decode("utf-8"))
    usage: Mapping[str, Any] = message.usage_metadata or {}
    prompt = sum(len(turn.content) for turn in request.messages)
    completion_tokens = usage.get("output_tokens") or ceil(len(text) / CHARACTERS_A_TOKEN)
    finish = _finish(message)
    if finish is Finish.OTHER and completion_tokens >= request.max_tokens:
        finish = Finish.LENGTH
    return ModelReply(
        text=text,
        finish=finish,
        prompt_tokens=usage.get("input_tokens") or ceil(prompt / CHARACTERS_A_TOKEN),
        completion_tokens=completion_tokens,
    )


def _finish(message: AIMessage) -> Finish:
    if message.additional_kwargs.get("refusal"):
        return Finish.FILTERED
    said = message.response_metadata
    word = said.get("finish_reason") or said.get("stop_reason") or said.get("done_reason") or ""
    # Some give an enum: `FinishReason.MAX_TOKENS`.
    return FINISHES.get(str(word).rpartition(".")[2].lower(), Finish.OTHER)


def _explain(error: Exception) -> CallError:
    """What broke, whatever library says it: the SDKs' errors share their attributes."""
    status = next(filter(None, map(_status, _chain(error))), None)
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if status is not None:
        fault = FAULTS.get(status, Fault.SERVER_ERROR if status >= 500 else Fault.REJECTED)
        if any(getattr(link, "code", None) == NO_CREDIT for link in _chain(error)):
            fault = Fault.DENIED
    elif any("Timeout" in name for name in names):
        fault = Fault.TIMEOUT
    elif names & BROKEN:
        fault = Fault.CONNECTION
    else:
        fault = Fault.UNREADABLE
    return CallError(fault, _line(error), next(filter(None, map(_retry_after, _chain(error))), None))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for value in (getattr(error, "status_code", None), getattr(response, "status_code", None)):
        if isinstance(value, int) and value >= 400:
            return value
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds; the header gives them, or a date (RFC 9110, section 10.2.3) by the server's own clock."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            sent = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
            seconds = (parsedate_to_datetime(value) - sent).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if isfinite(seconds) else None


def _line(error: BaseException) -> str:
    """What the error and its causes say, in one line and without secrets."""
    said = dict.fromkeys(" ".join(str(link).split()) or type(link).__name__ for link in _chain(error))
    return _without_secrets("; ".join(said))[:LONGEST_DETAIL]


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and SECRET.search(name):
            text = text.replace(value, "***")
    return text
