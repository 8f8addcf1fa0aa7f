"""OpenAI's protocol through LangChain; imported only when a model is opened, because that takes seconds.

It works around three defects. LangChain drops a reasoning model's thoughts, and it adds token counts that
need not be numbers. OpenAI's client reads an organization, a project and more headers from the environment,
and sends them to every server.
"""

from __future__ import annotations

from typing import Any

import openai
from httpx2 import Headers, Request
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI

from fdd.agents.models.replies import THOUGHT_FIELDS

KEPT = ("Content-Length", "Transfer-Encoding", "X-Stainless-Raw-Response")
"""Headers kept in a request to a user's own server; the last tells OpenAI's client how to read the reply."""


class OpenAIChat(ChatOpenAI):
    """LangChain's client; also keeps the model's thoughts, and the token counts as the server sent them."""

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        if not isinstance(response, openai.types.chat.ChatCompletion):
            return super()._create_chat_result(response, generation_info)
        # Taken out, so that LangChain cannot add up counts that are not numbers.
        usage, response.usage = getattr(response, "usage", None), None
        result = super()._create_chat_result(response, generation_info)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        message.usage_metadata = UsageMetadata(
            input_tokens=getattr(usage, "prompt_tokens", 0),
            output_tokens=getattr(usage, "completion_tokens", 0),
            total_tokens=0,
        )
        for name in THOUGHT_FIELDS:
            message.additional_kwargs[name] = getattr(response.choices[0].message, name, None)
        return result


def http_client(seconds: float, key: str | None) -> openai.DefaultAsyncHttpxClient:
    """A client of one event loop: LangChain's own is shared between loops, and fails in the second.

    With the `key` of a user's own server, it sends only the headers that the request needs.
    """

    async def reduce(request: Request) -> None:
        kind = request.headers.get("Content-Type", "application/json")
        headers = Headers({"Accept": "application/json", "Content-Type": kind})
        headers["Host"] = Request(request.method, request.url).headers["Host"]
        headers |= {name: request.headers[name] for name in KEPT if name in request.headers}
        authorization = request.headers.get("Authorization")
        if authorization is not None:  # the client drops it on a redirect to another server
            headers["Authorization"] = authorization if request.url.userinfo else f"Bearer {key}"
        request.headers = headers

    hooks = [] if key is None else [reduce]
    return openai.DefaultAsyncHttpxClient(timeout=seconds, event_hooks={"request": hooks})
