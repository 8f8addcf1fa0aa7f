"""Models behind real HTTP: what goes out, what comes back, and what never leaves with an error."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import langsmith.utils
import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables import RunnableLambda

from fdd.agents.models.provider import LangChainModel
from fdd.agents.models.request import CallError, Fault, Finish, Message, ModelReply, ModelRequest
from fdd.errors import UsageError

KEY = "sk-planted-0123456789"
REQUEST = ModelRequest(
    agent="teacher",
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="2 + 2?")),
    temperature=0.3,
    max_tokens=40,
    sample=5,
)

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Reads requests and lets a handler write whatever it likes."""

    handler: Handler
    heads: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Gives its URL; ends when every request has been answered or given up."""
        busy: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            busy.add(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            await asyncio.gather(*busy)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
            self.bodies.append(json.loads(await reader.readexactly(int(length.split(":")[1]))))
            self.heads.append(head)
            await self.handler(writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def says(
    status: int, body: object, headers: Mapping[str, str] | None = None, cut: int | None = None
) -> Handler:
    """A whole reply, or with `cut` only so many bytes of its body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Said\r\n{head}Connection: close\r\n\r\n".encode() + data[:cut])

    return say


def completion(text: str | None = "4", finish: str | None = "stop", **more: object) -> dict[str, object]:
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **more}}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


async def complete(server: Server, request: ModelRequest, seconds: float) -> ModelReply | CallError:
    async with server.listening() as url:
        model = LangChainModel("m", address=url, seconds=seconds, environment=os.environ)
        try:
            return await model.complete(request)
        except CallError as error:
            return error
        finally:
            await model.close()


def reply(handler: Handler, request: ModelRequest = REQUEST) -> ModelReply:
    outcome = asyncio.run(complete(Server(handler), request, seconds=5))
    assert isinstance(outcome, ModelReply), outcome
    return outcome


def error(handler: Handler, seconds: float = 5) -> CallError:
    outcome = asyncio.run(complete(Server(handler), REQUEST, seconds))
    assert isinstance(outcome, CallError), outcome
    return outcome


def sent() -> tuple[str, dict[str, Any]]:
    """Head and body of a request."""
    server = Server(says(200, completion()))
    asyncio.run(complete(server, REQUEST, seconds=5))
    (head,), (body,) = server.heads, server.bodies
    return head, body


def test_a_request_says_what_was_asked_for_and_nothing_else() -> None:
    _, body = sent()
    assert body.pop("stream", False) is False
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}],
        "temperature": 0.3,
        "max_tokens": 40,
        "seed": 5,
    }


def test_the_key_for_servers_goes_to_a_server_named_by_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", KEY)
    assert f"authorization: bearer {KEY}" in sent()[0].lower()


def test_a_server_named_by_url_never_sees_the_key_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FDD_SERVER_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    head, body = sent()
    assert "authorization: bearer none" in head.lower()
    assert KEY not in head + str(body)


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FDD_SERVER_KEY", raising=False)
    assert reply(says(200, completion())).text == "4"


IDENTITY = {
    "OPENAI_ORG_ID": "org-planted",
    "OPENAI_ORGANIZATION": "org-planted",
    "OPENAI_PROJECT_ID": "proj-planted",
    "OPENAI_ADMIN_KEY": "sk-admin-planted",
    "OPENAI_CUSTOM_HEADERS": "X-Secret: sk-planted\nAuthorization: Bearer sk-planted\nHost: planted.example\n"
    "User-Agent: planted\nAccept: planted",
    "OPENAI_BASE_URL": "http://planted.example/v1",
    "OPENAI_API_BASE": "http://planted.example/v1",
    "LANGSMITH_GATEWAY": "http://planted.example",
    "LANGSMITH_GATEWAY_API_KEY": "sk-planted",
}
"""What OpenAI's and LangChain's clients read from the environment."""


def test_a_server_named_by_url_learns_nothing_of_who_asks_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", KEY)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    head, body = sent()
    said = {line.split(":")[0].lower() for line in head.splitlines()[1:] if line}
    needed = {"host", "accept", "content-type", "content-length", "authorization", "x-stainless-raw-response"}
    assert said == needed
    assert "planted.example" not in head
    assert f"authorization: bearer {KEY}" in head.lower()
    assert "planted" not in (head + str(body)).replace(KEY, "")


def test_a_user_and_password_in_the_url_are_sent_as_such() -> None:
    server = Server(says(200, completion()))

    async def scenario() -> None:
        async with server.listening() as url:
            model = LangChainModel(
                "m", address=url.replace("//", "//me:hunter22@"), seconds=5, environment=os.environ
            )
            await model.complete(REQUEST)
            await model.close()

    asyncio.run(scenario())
    assert "authorization: basic bwu6ahvudgvymji=" in server.heads[0].lower()


def test_a_redirect_to_another_server_takes_no_key_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", KEY)
    other = Server(says(200, completion()))

    async def scenario() -> None:
        async with other.listening() as elsewhere:
            place = f"{elsewhere.replace('127.0.0.1', 'localhost')}/chat/completions"
            await complete(Server(says(307, {}, {"Location": place})), REQUEST, seconds=5)

    asyncio.run(scenario())
    assert len(other.heads) == 1
    assert KEY not in other.heads[0]


def test_a_reply_has_its_text_its_end_and_its_tokens() -> None:
    assert reply(says(200, completion())) == ModelReply(
        text="4", finish=Finish.STOP, prompt_tokens=11, completion_tokens=7
    )


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", Finish.STOP),
        ("end_turn", Finish.STOP),
        ("length", Finish.LENGTH),
        ("max_tokens", Finish.LENGTH),
        ("MAX_TOKENS", Finish.LENGTH),
        ("content_filter", Finish.FILTERED),
        ("refusal", Finish.FILTERED),
        ("SAFETY", Finish.FILTERED),
        ("FinishReason.RECITATION", Finish.FILTERED),
        ("tool_calls", Finish.OTHER),
        (None, Finish.OTHER),
    ],
)
def test_every_providers_word_for_the_end_is_known(word: str | None, finish: Finish) -> None:
    assert reply(says(200, completion(finish=word))).finish is finish


def test_a_reply_that_fills_its_length_was_cut_off_even_where_nobody_says_so() -> None:
    body = completion(finish=None)
    full = replace(REQUEST, max_tokens=7)
    assert reply(says(200, body), full).finish is Finish.LENGTH


def test_a_refusal_beside_the_text_is_a_filtered_reply() -> None:
    assert reply(says(200, completion(text=None, refusal="I cannot."))).finish is Finish.FILTERED


def test_a_server_that_does_not_count_gets_its_tokens_estimated() -> None:
    answer = reply(says(200, completion(text="x" * 41) | {"usage": None}))
    assert (answer.prompt_tokens, answer.completion_tokens) == (4, 11)


@pytest.mark.parametrize(
    ("count", "read"),
    [
        (37.25, 38),
        (37.0, 37),
        ("12", 12),
        ("12.5", 13),
        (0, 2),
        (-3, 2),
        (None, 2),
        ("many", 2),
        (float("nan"), 2),
        (float("inf"), 2),
        (1e300, 2),
        ([7], 2),
        ({"total": 7}, 2),
    ],
)
def test_a_count_of_tokens_is_a_whole_number_or_estimated(count: object, read: int) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": count}
    answer = reply(says(200, completion(text="x" * 8) | {"usage": usage}))
    assert answer.completion_tokens == read
    assert answer.prompt_tokens == (4 if read == 2 else read)


@pytest.mark.parametrize("usage", [[], "12 tokens", 12, {"prompt_tokens": "1"}, {"completion_tokens": 1.5}])
def test_counts_in_any_other_form_lose_no_reply(usage: object) -> None:
    assert reply(says(200, completion() | {"usage": usage})).text == "4"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("text", ["", None, " \n"])
def test_where_there_is_no_text_what_the_model_thought_is_kept_with_its_name(
    text: str | None, name: str
) -> None:
    body = completion(text=text, **{name: "2 + 2 is 4"})
    assert reply(says(200, body)).text == f"<{name}>\n2 + 2 is 4\n</{name}>"


def test_what_a_model_thought_beside_its_text_is_left_out() -> None:
    assert reply(says(200, completion(reasoning_content="2 + 2 is 4"))).text == "4"


def test_text_that_could_not_be_stored_is_made_storable() -> None:
    body = json.dumps(completion(text="four?")).replace("four", r"\ud800").encode()
    assert reply(says(200, body)).text == "??"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.REJECTED),
        (401, Fault.DENIED),
        (402, Fault.DENIED),
        (403, Fault.DENIED),
        (404, Fault.DENIED),
        (408, Fault.TIMEOUT),
        (413, Fault.REJECTED),
        (422, Fault.REJECTED),
        (429, Fault.RATE_LIMITED),
        (500, Fault.SERVER_ERROR),
        (502, Fault.SERVER_ERROR),
        (503, Fault.OVERLOADED),
        (529, Fault.OVERLOADED),
    ],
)
def test_a_status_is_a_fault_and_is_sent_once(status: int, fault: Fault) -> None:
    server = Server(says(status, {"error": {"message": "no\nway"}}))
    outcome = asyncio.run(complete(server, REQUEST, seconds=5))
    assert isinstance(outcome, CallError)
    assert outcome.fault is fault
    assert "no" in outcome.detail
    assert "\n" not in str(outcome)
    assert len(server.bodies) == 1


OPENAI_UNSUPPORTED = "Unsupported parameter: '{0}' is not supported with this model."
VLLM_EXTRA = (
    "[{{'type': 'extra_forbidden', 'loc': ('body', '{0}'), 'msg': 'Extra inputs are not permitted'}}]"
)
FASTAPI = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": {"message": "No such thing."}}, "HTTP 400: No such thing."),
        (400, {"object": "error", "message": "No such thing.", "code": 400}, "HTTP 400: No such thing."),
        (400, {"error": "No such thing."}, "HTTP 400: No such thing."),
        (400, {"detail": "No such thing."}, "HTTP 400: No such thing."),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "Too few"}]}, "HTTP 422: body.n: Too few"),
        (422, {"object": "error", "message": FASTAPI}, "HTTP 422: body.seed: Extra inputs"),
        (400, {"code": 3, "reasons": ["odd"]}, 'HTTP 400: {"code": 3, "reasons": ["odd"]}'),
        (400, b"no such thing", "HTTP 400: no such thing"),
        (502, b"<html><title>502 Bad Gateway</title><body>x</body></html>", "HTTP 502: 502 Bad Gateway"),
    ],
)
def test_what_the_server_says_is_told_in_its_own_words(status: int, body: object, said: str) -> None:
    assert error(says(status, body)).detail == said


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum context length is 2048 tokens, and you asked for 1024 max_tokens more."),
        (400, "'max_tokens' is too large: the maximum context length is not supported."),
        (413, "Payload Too Large"),
        (422, "Input validation error: inputs tokens + max_new_tokens exceed the context of 2048 tokens"),
    ],
)
def test_a_request_that_is_too_long_is_said_to_be(status: int, message: str) -> None:
    server = Server(says(status, {"error": {"message": message}}))
    outcome = asyncio.run(complete(server, REQUEST, seconds=5))
    assert isinstance(outcome, CallError)
    assert outcome.detail == f"HTTP {status}: {message} (the request is too long for this server or model)"
    assert len(server.bodies) == 1


def strict(status: int, body: object, refuses: Callable[[dict[str, Any]], bool]) -> Server:
    """A server that answers only what it does not refuse."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        refused = refuses(server.bodies[-1])
        await (says(status, body) if refused else says(200, completion()))(writer)

    server = Server(answer)
    return server


async def ask_twice(server: Server) -> None:
    async with server.listening() as url:
        model = LangChainModel("m", address=url, seconds=5, environment=os.environ)
        for sample in (1, 2):
            await model.complete(replace(REQUEST, sample=sample))
        await model.close()


@pytest.mark.parametrize(
    ("status", "body", "name", "instead"),
    [
        (400, {"error": {"message": OPENAI_UNSUPPORTED.format("seed"), "param": "seed"}}, "seed", None),
        (422, FASTAPI, "seed", None),
        (400, {"message": VLLM_EXTRA.format("seed")}, "seed", None),
        (400, {"error": {"message": "Unrecognized request argument supplied: seed"}}, "seed", None),
        (400, {"error": {"message": 'Unknown name "seed": Cannot find field.'}}, "seed", None),
        (400, {"error": {"message": "property 'seed' is unsupported"}}, "seed", None),
        (400, {"detail": "Additional properties are not allowed ('seed' was unexpected)"}, "seed", None),
        (500, {"error": "got an unexpected keyword argument 'seed'"}, "seed", None),
        (
            400,
            {"error": {"message": "Only the default (1) value is supported.", "param": "temperature"}},
            "temperature",
            None,
        ),
        (400, {"error": {"message": "`temperature` is deprecated for this model."}}, "temperature", None),
        (400, {"error": "invalid temperature: only 1 is allowed for this model"}, "temperature", None),
        (400, {"error": {"message": OPENAI_UNSUPPORTED.format("max_tokens")}}, "max_tokens", 40),
        (400, {"error": "o1 models don't support temperature=0.7."}, "temperature", None),
        (400, {"error": "temperature isn’t supported by this model"}, "temperature", None),
        (400, {"error": "temperature cannot be set for reasoning models"}, "temperature", None),
        (400, {"message": '"seed" is not a recognized parameter'}, "seed", None),
        (400, {"error": "These `model_kwargs` are not used by the model: ['seed']"}, "seed", None),
        (400, {"error": "Parameter `seed` is invalid for this model"}, "seed", None),
    ],
)
def test_a_setting_that_the_model_refuses_is_left_out_from_then_on(
    status: int, body: object, name: str, instead: int | None
) -> None:
    server = strict(status, body, lambda asked: name in asked)
    asyncio.run(ask_twice(server))
    assert [name in asked for asked in server.bodies] == [True, False, False]
    assert {asked.get("max_completion_tokens") for asked in server.bodies[1:]} == {instead}


@pytest.mark.parametrize(
    "message",
    [
        "System role not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported!",
        "'messages[0].role' does not support 'system' with this model.",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "This model does not support system prompts",
        "System messages aren't supported by this model",
        "Unsupported role: system",
        "Unknown role 'system'",
        "messages[0].role: unknown variant `system`, expected `user` or `assistant`",
        "body.messages.0.role: Input should be 'user' or 'assistant'",
    ],
)
def test_a_system_turn_that_the_model_refuses_begins_the_users_from_then_on(message: str) -> None:
    server = strict(
        400, {"error": {"message": message}}, lambda asked: bool(asked["messages"][0]["role"] == "system")
    )
    asyncio.run(ask_twice(server))
    folded = [{"role": "user", "content": "Be brief.\n\n2 + 2?"}]
    assert [asked["messages"] == folded for asked in server.bodies] == [False, True, True]


def test_several_settings_can_be_refused_one_after_the_other() -> None:
    refused = ("temperature", "seed", "max_tokens")

    async def answer(writer: asyncio.StreamWriter) -> None:
        name = next((name for name in refused if name in server.bodies[-1]), None)
        bad = says(400, {"error": {"message": OPENAI_UNSUPPORTED.format(name)}})
        await (bad if name else says(200, completion()))(writer)

    server = Server(answer)
    asyncio.run(ask_twice(server))
    assert len(server.bodies) == 5


@pytest.mark.parametrize(
    "message",
    [
        "temperature: Input should be less than or equal to 0.2",
        "Invalid 'temperature': this model supports values from 0 to 0.2",
        "max_tokens is too large: 40. This model supports at most 10 completion tokens",
        "This model does not support max_tokens greater than 10",
        "max_tokens cannot be set above 10",
    ],
)
def test_a_value_out_of_range_is_told_and_not_left_out(message: str) -> None:
    server = Server(says(400, {"error": {"message": message}}))
    outcome = asyncio.run(complete(server, REQUEST, seconds=5))
    assert isinstance(outcome, CallError)
    assert message in outcome.detail
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("", 404, r"lacks /v1: http://127.0.0.1:\d+/v1"),
        ("/", 405, r"lacks /v1: http://127.0.0.1:\d+/v1"),
        ("/v1/chat/completions", 404, "should end before /chat/completions"),
        ("/v1", 404, "no route$"),
        ("/v1beta/openai", 404, "no route$"),
    ],
)
def test_a_url_that_is_probably_wrong_is_said_to_be(path: str, status: int, hint: str) -> None:
    async def scenario() -> None:
        async with Server(says(status, {"detail": "no route"})).listening() as url:
            model = LangChainModel(
                "m", address=url.removesuffix("/v1") + path, seconds=5, environment=os.environ
            )
            try:
                await model.complete(REQUEST)
            finally:
                await model.close()

    with pytest.raises(CallError, match=hint):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080"),
        ("SSL_CERT_FILE", "/gone/cacert.pem"),
        ("OPENAI_PROXY", "http://127.0.0.1:3128"),
    ],
)
def test_a_variable_that_keeps_a_model_from_being_opened_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"cannot be opened: {variable}='{value}' "):
        LangChainModel("m", address="http://127.0.0.1:9/v1", seconds=5, environment=os.environ)


def test_an_account_without_credit_is_not_asked_again() -> None:
    body = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    assert error(says(429, body)).fault is Fault.DENIED


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-3", None), ("soon", None), ("nan", None)]
)
def test_retry_after_gives_seconds(header: str, seconds: float | None) -> None:
    assert error(says(429, {}, {"Retry-After": header})).retry_after == seconds


def test_retry_after_gives_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert error(says(503, {}, {"Retry-After": date})).retry_after == pytest.approx(100, abs=5)


def test_a_date_to_retry_after_is_read_by_the_servers_clock_and_not_by_ours() -> None:
    sent = datetime.now(UTC) - timedelta(hours=7)
    headers = {"Date": sent, "Retry-After": sent + timedelta(seconds=30)}
    dates = {name: format_datetime(date, usegmt=True) for name, date in headers.items()}
    assert error(says(503, {}, dates)).retry_after == 30


async def hang(writer: asyncio.StreamWriter) -> None:
    del writer
    await asyncio.sleep(0.4)


async def drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(20):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("handler", [hang, drip])
def test_a_reply_that_is_not_there_in_time_is_a_time_out(handler: Handler) -> None:
    late = error(handler, seconds=0.2)
    assert (late.fault, late.detail) == (Fault.TIMEOUT, "no reply in 0.2 s")


@pytest.mark.parametrize("handler", [drop, says(200, completion(), cut=40), says(200, completion(), cut=0)])
def test_a_broken_connection_is_one(handler: Handler) -> None:
    assert error(handler).fault is Fault.CONNECTION


def test_no_server_is_a_broken_connection() -> None:
    async def scenario() -> None:
        model = LangChainModel("m", address="http://127.0.0.1:9/v1", seconds=5, environment=os.environ)
        await model.complete(REQUEST)

    with pytest.raises(CallError, match=r"^connection: .*[Cc]onnection"):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b'{"choices": [',
        [],
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {"error": {"message": "out of memory"}},
    ],
)
def test_a_reply_outside_the_protocol_is_unreadable(body: object) -> None:
    assert error(says(200, body)).fault is Fault.UNREADABLE


def everything(shown: BaseException) -> str:
    """All that an error could show, its context and its attributes with it."""
    lines = traceback.TracebackException.from_exception(shown, capture_locals=False).format()
    return "".join([*lines, repr(shown), repr(vars(shown)), repr(shown.__context__), repr(shown.__cause__)])


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_no_key_leaves_with_an_error(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", KEY)
    failure = error(says(status, {"error": {"message": f"wrong key {KEY} in Bearer {KEY}"}}))
    assert "wrong key ***" in failure.detail
    assert KEY not in everything(failure)
    assert failure.__context__ is failure.__cause__ is None


def test_a_key_that_would_be_cut_in_half_does_not_leave_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", KEY)
    for length in range(200, 300, 10):
        failure = error(says(500, {"error": {"message": "x" * length + KEY}}))
        assert KEY[:8] not in everything(failure)


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "OTHER_API_KEY", "HUB_TOKEN", "MY_SECRET", "service_keys"]
)
def test_nothing_that_looks_like_a_key_leaves_with_a_reply(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, KEY)
    assert reply(says(200, completion(text=f"You sent {KEY}."))).text == "You sent ***."


@pytest.mark.parametrize(
    ("variable", "address"), [("OPENAI_API_KEY", ""), ("FDD_SERVER_KEY", "http://localhost:8000/v1")]
)
def test_no_key_is_shown_with_a_model(variable: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, KEY)
    model = LangChainModel("openai:m", address=address, seconds=5, environment=os.environ)
    assert KEY not in repr(model) + repr(vars(model)) + str(model)


def test_a_model_has_its_providers_name() -> None:
    model = LangChainModel(
        "qwen2.5:7b", address="http://localhost:11434/v1", seconds=5, environment=os.environ
    )
    same = LangChainModel(
        "openai:qwen2.5:7b", address="http://localhost:11434/v1", seconds=5, environment=os.environ
    )
    assert (model.name, model.address) == ("openai:qwen2.5:7b", "http://localhost:11434/v1")
    assert same.name == model.name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-4o-mini", "unknown model 'gpt-4o-mini': write provider:model"),
        ("openai:", "unknown model 'openai:'"),
        ("", "unknown model ''"),
        ("nobody:m", "Unsupported provider='nobody'"),
        ("openai:m", "set the environment variable OPENAI_API_KEY"),
        ("anthropic:m", "set the environment variable ANTHROPIC_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(UsageError, match=message) as refused:
        LangChainModel(name, seconds=5, environment=os.environ)
    assert "\n" not in str(refused.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setitem(sys.modules, "langchain_groq", None)
    with pytest.raises(UsageError, match=r"'groq:m' needs a package .* pip install langchain-groq$"):
        LangChainModel("groq:m", seconds=5, environment=os.environ)


def test_a_model_can_be_asked_again_in_another_event_loop_after_it_was_closed() -> None:
    server = Server(says(200, completion()))
    model = LangChainModel("m", address="http://127.0.0.1:9/v1", seconds=5, environment=os.environ)

    async def scenario() -> str:
        async with server.listening() as model.address:
            text = (await model.complete(REQUEST)).text
            await model.close()
            return text

    assert asyncio.run(scenario()) == "4"
    assert asyncio.run(scenario()) == "4"


class Eavesdropper(AsyncCallbackHandler):
    """Told of everything that happens in the chain that it is given to."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    async def on_chat_model_start(self, *said: object, **more: object) -> None:
        self.heard += [said, more]


def test_a_graph_around_the_call_hears_nothing_of_it() -> None:
    ears = Eavesdropper()
    server = Server(says(200, completion()))

    async def node(request: ModelRequest) -> None:
        await complete(server, request, seconds=5)

    asyncio.run(RunnableLambda(node).ainvoke(REQUEST, config={"callbacks": [ears]}))
    assert len(server.bodies) == 1
    assert ears.heard == []


def forget_environment() -> None:
    """The tracer reads each variable once."""
    vars(langsmith.utils)["get_env_var"].cache_clear()


def test_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> int:
        server = Server(says(200, completion()))
        async with server.listening() as url:
            monkeypatch.setenv("LANGSMITH_TRACING", "true")
            monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
            monkeypatch.setenv("LANGSMITH_ENDPOINT", url)
            forget_environment()
            model = LangChainModel("m", address=url, seconds=5, environment=os.environ)
            await model.complete(REQUEST)
            await asyncio.sleep(0.2)
            await model.close()
        return len(server.bodies)

    try:
        assert asyncio.run(scenario()) == 1
    finally:
        monkeypatch.undo()
        forget_environment()


def test_to_know_of_models_loads_no_provider() -> None:
    code = (
        "import sys, agents.models; assert not {'langchain', 'langchain_core', 'openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
