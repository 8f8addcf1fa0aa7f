"""Asks a model for a reply in named parts, and asks again if the reply lacks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fdd.agents.models.client import Client
from fdd.agents.models.prompting import Conversation
from fdd.agents.models.replies import REASONS, explain_malformed, read_parts
from fdd.agents.models.request import Answer, Call, CallStatus, ModelRequest
from fdd.domain import Refusal

GIVEN_UP = (CallStatus.FAILED, CallStatus.TRUNCATED)
"""Statuses after which asking again is useless: a truncated reply would cost as much and end at the same
limit, and a failed call has been retried as far as that helps."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one model with the settings of an agent."""

    client: Client
    temperature: float
    max_tokens: int
    """Longest reply, in tokens."""
    asks: int = 2
    """Requests sent for one answer while the replies are unreadable."""

    @property
    def model(self) -> str:
        return self.client.model.name

    async def ask(
        self, conversation: Conversation, *, agent: str, parts: Sequence[str], sample: int = 0
    ) -> Answer[dict[str, str] | Refusal]:
        """The parts of the reply by name, or why there are none.

        Each value of `sample` gives an independent answer.
        """
        request = ModelRequest(
            agent=agent,
            messages=conversation.messages,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            prompt_hash=conversation.prompt_hash,
        )
        calls: list[Call] = []
        for number in range(self.asks):
            # A repeat needs its own sample number, or the cache would return the unreadable reply again.
            call = await self.client.ask(replace(request, sample=sample * self.asks + number))
            if call.status is CallStatus.ANSWERED:
                assert call.reply is not None
                found = read_parts(call.reply.text, parts)
                if found is not None:
                    return Answer(content=found, calls=(*calls, call))
                detail = explain_malformed(call.reply.text, parts)
                call = replace(call, status=CallStatus.MALFORMED, detail=detail)
            calls.append(call)
            if call.status in GIVEN_UP:
                break
        return Answer(content=Refusal(reason=REASONS[call.status], detail=call.detail), calls=tuple(calls))
