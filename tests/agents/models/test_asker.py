"""How often a model is asked for one thing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fdd.agents.models.asker import Asker
from fdd.agents.models.prompting import Conversation
from fdd.agents.models.request import CallError, CallStatus, Fault, Finish, Message
from fdd.domain import Refusal
from tests.agents.models.test_client import REPLY, Outcome, ScriptedModel, open_client
from tests.agents.models.virtual import run

QUESTION = Conversation((Message(role="user", content="What is 36 + 36?"),), "hash")
GOOD = replace(REPLY, text="<answer>72</answer>")


def ask(*script: Outcome) -> tuple[dict[str, str] | Refusal, list[CallStatus]]:
    asker = Asker(open_client(ScriptedModel(script)), temperature=0.7, max_tokens=50)
    answer = run(asker.ask(QUESTION, agent="teacher", parts=("answer",)))
    return answer.content, [call.status for call in answer.calls]


def test_a_reply_in_another_form_is_asked_for_once_more() -> None:
    assert ask(REPLY, GOOD) == ({"answer": "72"}, [CallStatus.MALFORMED, CallStatus.ANSWERED])


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        (replace(GOOD, finish=Finish.LENGTH), CallStatus.TRUNCATED),
        (CallError(Fault.REJECTED, "no"), CallStatus.FAILED),
    ],
)
def test_what_would_end_in_the_same_way_is_not_asked_for_again(lost: Outcome, status: CallStatus) -> None:
    content, statuses = ask(lost, GOOD)
    assert isinstance(content, Refusal)
    assert statuses == [status]
