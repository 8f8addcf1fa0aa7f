"""Asks a model for a reply in named parts, and asks again if the reply lacks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fdd.agents.models.client import Client
from fdd.agents.models.prompting import Conversation
from fdd.agents.models.replies import explain_malformed, read_parts
from fdd.agents.models.request import Answer, Call, CallStatus, ModelRequest
from fdd.domain import Reason, Refusal

ASKS = 2
"""Requests sent for one answer while the replies are unreadable."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one model with the settings of an agent."""

    client: Client
    temperature: float
    max_tokens: int

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
        for number in range(ASKS):
            # A repeat needs its own sample number, or the cache would return the unreadable reply again.
            call = await self.client.ask(replace(request, sample=sample * ASKS + number))
            if call.status is CallStatus.ANSWERED:
                assert call.reply is not None
                found = read_parts(call.reply.text, parts)
                if found is not None:
                    return Answer(content=found, calls=(*calls, call))
                detail = explain_malformed(call.reply.text, parts)
                call = replace(call, status=CallStatus.MALFORMED, detail=detail)
            calls.append(call)
            # A truncated reply would cost as much again and end at the same limit, and a failed call has been
            # retried as far as that helps.
            if call.status in (CallStatus.FAILED, CallStatus.TRUNCATED):
                break
        # The other reasons are spelled like the statuses.
        reason = Reason.CALL_FAILED if call.status is CallStatus.FAILED else Reason(call.status)
        return Answer(content=Refusal(reason=reason, detail=call.detail), calls=tuple(calls))
