"""What a model writes into its reply is judged, refused or counted; it never ends the run."""

from __future__ import annotations

import asyncio
import random
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.models.asker import Asker
from fdd.agents.models.budget import Budget
from fdd.agents.models.client import Client
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE
from fdd.agents.models.request import Finish, ModelReply, ModelRequest
from fdd.agents.synthesizer import Drafted, ModelSynthesizer, Wanted
from fdd.agents.verifier import Verifier
from fdd.domain import MAX_TEXT, Draft, Operator, Reason, Refusal
from fdd.storage.call_cache import CallCache
from tests.agents.symbolic.parents import BEADS
from tests.hostile_text.texts import TERMINAL

ANSWERS = {
    "a number too long": "9" * 5000,
    "a fraction too long": f"1/{'9' * 5000}",
    "nothing over nothing": "0/0",
    "a huge power": "1e999999999",
    "another script": "\u0f33",
    "an escape": "\x1b[2J",
    "a program": "__import__('os')",
}

RATIONALES = {
    "a product too long to print": f"{'9' * 900} * {' * '.join(['9' * 900] * 5)} = 1.\nThe answer is 144.",
    "powers of two below": f"1 / {' / '.join([str(2**3000)] * 15)} = 1.\nThe answer is 144.",
    "an answer too long": f"The answer is {'9' * 990}/{'7' * 990}.",
    "line breaks": "\n" * 19_900 + "The answer is 144.",
}
ONE_TRY = CallConfig(at_once=1, tries=1)


class ScriptedModel:
    """Gives the same reply to every request."""

    name = "scripted"
    address = ""

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        return ModelReply(text=self._text, finish=Finish.STOP, prompt_tokens=1, completion_tokens=1)

    async def close(self) -> None:
        """It holds nothing."""


def written(reply: str, folder: Path) -> Draft | Refusal:
    async def write() -> Drafted:
        with CallCache(folder / "calls.sqlite") as cache:
            model = ScriptedModel(reply)
            client = Client(model, run="r", cache=cache, budget=Budget(ONE_TRY), price=FREE, config=ONE_TRY)
            synthesizer = ModelSynthesizer(Asker(client, temperature=0.7, max_tokens=100))
            draft = await synthesizer.write(Wanted(parent=BEADS, operator=Operator.SIMILAR), random.Random(0))
            await client.close()
            return draft

    return asyncio.run(write()).content


def reply_of(question: str, solution: str, answer: str) -> str:
    return (
        f"<problem>\n{question}\n</problem>\n<solution>\n{solution}\n</solution>\n<answer>{answer}</answer>"
    )


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_no_number_is_malformed(answer: str, tmp_path: Path) -> None:
    refused = written(reply_of("How many?", "1 + 1 = 2", answer), tmp_path)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.MALFORMED
    assert refused.detail.isprintable()
    assert len(refused.detail) < 200


@pytest.mark.parametrize(("question", "solution"), [("?" * (MAX_TEXT + 1), "2"), ("?", "2" * (MAX_TEXT + 1))])
def test_a_problem_without_end_is_malformed(question: str, solution: str, tmp_path: Path) -> None:
    refused = written(reply_of(question, solution, "2"), tmp_path)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.MALFORMED


@pytest.mark.parametrize("text", [text for text in TERMINAL.values() if "\ud800" not in text])
def test_strange_characters_of_a_problem_are_kept(text: str, tmp_path: Path) -> None:
    draft = written(reply_of(f"1{text}2", "1 + 1 = 2", "2"), tmp_path)
    assert isinstance(draft, Draft)
    assert draft.question == f"1{text}2"


@pytest.mark.parametrize("text", RATIONALES.values(), ids=RATIONALES)
@pytest.mark.parametrize("thought", ["cot", "decompose", "kp_cot"])
def test_a_rationale_made_to_break_the_verifier_gets_a_verdict(thought: str, text: str) -> None:
    with Verifier(workers=1) as verifier:
        verdict = verifier.judge(thought, text, Fraction(144))
    assert verdict.detail.isprintable()
    assert len(verdict.detail) < 3000
