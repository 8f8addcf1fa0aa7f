"""Language models of any provider, through LangChain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from fdd.agents.models.keys import Keys
from fdd.agents.models.provider_errors import RefusedError, Setting, explain, line, refused_setting
from fdd.agents.models.replies import THOUGHT_FIELDS
from fdd.agents.models.request import CallError, Fault, Finish, ModelReply, ModelRequest
from fdd.errors import UsageError
from fdd.network import network_fault, without_login

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from openai import AsyncOpenAI
    from openai import DefaultAsyncHttpxClient as AsyncHttpxClient

OPENAI = "openai"
OPENAI_ADDRESS = "https://api.openai.com/v1"
"""Always given explicitly, so that no environment variable sends requests to another server than recorded."""
FINISHES = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "complete", "eos", "eos_token"), Finish.STOP),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), Finish.LENGTH),
    **dict.fromkeys(("content_filter", "refusal", "safety", "recitation", "language"), Finish.FILTERED),
    **dict.fromkeys(("blocklist", "prohibited_content", "spii", "content_filtered"), Finish.FILTERED),
}
"""Providers' words for why a model stopped, in lower case."""
CHARACTERS_A_TOKEN = 4
"""Estimate for servers that do not count tokens: about right for English, so that limits still apply."""
OK = 200
"""HTTP status."""
MOST_TOKENS = 2**31
"""A larger token count is treated as unknown."""


def full_name(name: str, address: str) -> str:
    """The name `provider:model` used in records and prices; a server given by address counts as OpenAI's."""
    return f"{OPENAI}:{name.removeprefix(f'{OPENAI}:')}" if address else name


class LangChainModel:
    """A `ChatModel` that uses LangChain; it must be used and closed in one event loop."""

    def __init__(
        self, name: str, *, address: str = "", seconds: float, environment: Mapping[str, str]
    ) -> None:
        """Open the named model; raises `UsageError` if it is clear that no request can be sent.

        `name` is `provider:model`, for any provider that LangChain knows. With the address of a server that
        speaks OpenAI's protocol (vLLM, Ollama, llama.cpp, `transformers serve`) the model's own name is
        enough. Keys are taken from `environment`; the key of a server with an address is in `FDD_SERVER_KEY`.
        It must be the environment of this process, because the providers' libraries read that too. A request
        times out after `seconds`.
        """
        self.name, self.address = full_name(name, address), address
        self._provider, _, self._model = self.name.partition(":")
        if not self._provider or not self._model:
            example = "provider:model, for example openai:gpt-4o-mini, or give the URL of its server as well"
            raise UsageError(f"unknown model {name!r}: write {example}")
        self._seconds, self._keys = seconds, Keys(environment)
        self._keys.check(name, self._provider, has_address=bool(address))
        self._client: AsyncHttpxClient | None = None
        self._chat = cache(self._open_chat)
        self._left_out = frozenset[Setting]()
        """Settings that the model is known to refuse."""
        self._optional = set(Setting) if address else {Setting.TEMPERATURE, Setting.SYSTEM}
        """Settings that can be left out of a request to this provider."""
        if self._provider == OPENAI:
            self._optional.add(Setting.SEED)
        problem = ""
        # Opened once now, so that a missing package or a refused setting is found before any request.
        try:
            self._chat(0.0, 1, self._left_out)
        except Exception as error:  # Every provider has errors of its own.
            problem = f"cannot be opened: {line(error, self._keys)}"
            if isinstance(error, ImportError):
                package = str(getattr(error.__cause__, "name", None) or error).replace("_", "-")
                problem = f"needs a package that is not installed: pip install {package}"
            problem = _environment_fault(self._provider, environment) or problem
        if problem:
            raise UsageError(f"the model {self.name!r} {problem}")

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once; raises `CallError`, which keeps no reference to the provider's error.

        A setting that the server refuses is left out of an immediate repeat and of all later requests.
        """
        left_out = self._left_out
        while True:
            try:
                # A client's time-out may apply to each read, and then a slow stream would never end.
                async with asyncio.timeout(self._seconds):
                    message = await self._invoke(request, left_out)
            except TimeoutError:
                failure, refused = CallError(Fault.TIMEOUT, f"no reply in {self._seconds:g} s"), None
            except Exception as error:  # Every provider has errors of its own.
                failure = explain(error, self.address, self._keys)
                refused = refused_setting(error)
            else:
                self._left_out |= left_out
                return _read(message, request, self._keys)
            if refused is None or refused in left_out or refused not in self._optional:
                break
            left_out |= {refused}
        # Raised here, outside the handlers: there the provider's error, whose request holds the key, would
        # become its context.
        raise failure

    @property
    def openai(self) -> AsyncOpenAI:
        """OpenAI's client for the same server, for what LangChain has no methods for."""
        assert self._provider == OPENAI
        from openai import AsyncOpenAI

        key = self._keys.server if self.address else None
        address = self.address or OPENAI_ADDRESS
        return AsyncOpenAI(api_key=key, base_url=address, http_client=self._http(key), max_retries=0)

    def _http(self, key: str | None) -> AsyncHttpxClient:
        from fdd.agents.models.openai_chat import http_client

        self._client = self._client or http_client(self._seconds, key)
        return self._client

    def explain(self, error: Exception) -> CallError:
        return explain(error, self.address, self._keys)

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The body that OpenAI's protocol has for a request."""
        chat: Any = self._chat(request.temperature, request.max_tokens, self._left_out)
        messages, sample = self._arguments(request, self._left_out)
        body: dict[str, Any] = chat._get_request_payload(messages, **sample)
        extra: dict[str, Any] = body.pop("extra_body", {})
        return body | extra

    def read(self, request: ModelRequest, status: int, body: object) -> ModelReply:
        """Read what the server sent for a request; raises `CallError` for an error or an unreadable reply."""
        from openai.types.chat import ChatCompletion

        chat: Any = self._chat(request.temperature, request.max_tokens, self._left_out)
        try:
            if status != OK or not isinstance(body, dict):
                raise RefusedError(status, body)
            result = chat._create_chat_result(ChatCompletion.construct(**body))
            return _read(result.generations[0].message, request, self._keys)
        except Exception as error:  # A body may have any form.
            failure = self.explain(error)
        raise failure

    def refused(self, status: int, body: object) -> Setting | None:
        """The setting that the server refused in a reply, if it is one that can be left out."""
        found = refused_setting(RefusedError(status, body))
        return found if found in self._optional else None

    @property
    def left_out(self) -> frozenset[Setting]:
        """The settings that are left out of requests."""
        return self._left_out

    def leave_out(self, setting: Setting) -> None:
        self._left_out |= {setting}

    def told(self, text: str) -> str:
        """What a server wrote, in one short line without secrets."""
        return line(ValueError(text), self._keys)

    async def close(self) -> None:
        self._chat.cache_clear()
        if self._client is not None:
            await self._client.aclose()
        self._client = None

    async def _invoke(self, request: ModelRequest, left_out: frozenset[Setting]) -> AIMessage:
        from langsmith.run_helpers import tracing_context

        chat = self._chat(request.temperature, request.max_tokens, left_out)
        messages, sample = self._arguments(request, left_out)
        # LangSmith would send the conversation to a third party if the environment turns tracing on.
        with tracing_context(enabled=False):
            return await chat.ainvoke(messages, config={"callbacks": []}, **sample)

    def _arguments(
        self, request: ModelRequest, left_out: frozenset[Setting]
    ) -> tuple[Sequence[tuple[str, str]], dict[str, Any]]:
        """The messages for LangChain's client, and the arguments that are sent with them."""
        turns = list(request.messages)
        if Setting.SYSTEM in left_out and len(turns) > 1 and turns[0].role == "system":
            system = turns.pop(0)
            turns[0] = replace(turns[0], content=f"{system.content}\n\n{turns[0].content}")
        messages = [(message.role, message.content) for message in turns]
        sends_seed = self._provider == OPENAI and Setting.SEED not in left_out
        return messages, {"seed": request.sample} if sends_seed else {}

    def _open_chat(self, temperature: float, max_tokens: int, left_out: frozenset[Setting]) -> BaseChatModel:
        """LangChain's client for these settings: only its constructor has standard names for them."""
        # The client retries, and counts every try.
        options: dict[str, Any] = {"timeout": self._seconds, "max_retries": 0}
        sent_temperature = None if Setting.TEMPERATURE in left_out else temperature
        if self._provider != OPENAI:
            from langchain.chat_models import init_chat_model

            if sent_temperature is not None:
                options["temperature"] = sent_temperature
            chat: BaseChatModel = init_chat_model(
                self._model, model_provider=self._provider, max_tokens=max_tokens, **options
            )
            return chat
        from fdd.agents.models.openai_chat import OpenAIChat

        # Without `temperature`, LangChain would choose one for some models.
        options |= {"model": self._model, "temperature": sent_temperature}
        options |= {"http_socket_options": (), "use_responses_api": False}
        key = self._keys.server if self.address else None
        if key is None:
            options |= {"base_url": OPENAI_ADDRESS, "max_tokens": max_tokens}
        else:
            # LangChain would always send `max_completion_tokens`, which some servers ignore.
            name = "max_completion_tokens" if Setting.MAX_TOKENS in left_out else "max_tokens"
            options |= {"base_url": self.address, "api_key": key, "extra_body": {name: max_tokens}}
        return OpenAIChat(http_async_client=self._http(key), **options)


def _environment_fault(provider: str, environment: Mapping[str, str]) -> str | None:
    """What in the environment prevents opening a client, as the end of a sentence; None for nothing."""
    proxy = environment.get("OPENAI_PROXY")
    if provider == OPENAI and proxy:
        return (
            f"cannot be opened: OPENAI_PROXY={without_login(proxy)!r} is not supported; unset it, and set "
            "HTTPS_PROXY where a proxy is needed"
        )
    fault = network_fault(environment)
    return fault and f"cannot be opened: {fault}"


def _read(message: AIMessage, request: ModelRequest, keys: Keys) -> ModelReply:
    # JSON can contain lone surrogates, which the database cannot store.
    text = keys.masked(_text(message).encode("utf-8", "replace").decode("utf-8"))
    usage: Mapping[str, Any] = message.usage_metadata or {}
    prompt = sum(len(turn.content) for turn in request.messages)
    completion_tokens = _whole(usage.get("output_tokens")) or ceil(len(text) / CHARACTERS_A_TOKEN)
    said = message.response_metadata
    word = said.get("finish_reason") or said.get("stop_reason") or said.get("done_reason") or ""
    # Some providers give an enum: `FinishReason.MAX_TOKENS`.
    finish = FINISHES.get(str(word).rpartition(".")[2].lower(), Finish.OTHER)
    if message.additional_kwargs.get("refusal"):
        finish = Finish.FILTERED
    # At the token limit an unknown reason means that the reply was cut off.
    if finish is Finish.OTHER and completion_tokens >= request.max_tokens:
        finish = Finish.LENGTH
    return ModelReply(
        text=text,
        finish=finish,
        prompt_tokens=_whole(usage.get("input_tokens")) or ceil(prompt / CHARACTERS_A_TOKEN),
        completion_tokens=completion_tokens,
    )


def _text(message: AIMessage) -> str:
    """The model's text; if that is empty, its thoughts, in tags that mark them as such."""
    text = str(message.text)
    if not text.strip():
        for name in THOUGHT_FIELDS:
            thoughts = message.additional_kwargs.get(name)
            if isinstance(thoughts, str) and thoughts.strip():
                return f"<{name}>\n{thoughts}\n</{name}>"
    return text


def _whole(count: object) -> int:
    """A server's token count, rounded up; 0, which means unknown, if it is not a plausible number."""
    try:
        number = float(count) if isinstance(count, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0
    return ceil(number) if isfinite(number) and 0 < number <= MOST_TOKENS else 0
