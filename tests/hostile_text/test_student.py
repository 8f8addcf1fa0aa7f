"""Text that looks like a special token of the student's is read and written as plain characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.tasks import Example
from tests.hostile_text.texts import INJECTIONS

CUE = "Write a Python program."
TURN = INJECTIONS["a chat template's turn"]


@pytest.fixture(scope="module", params=["with a template", "without a template"])
def tokenizer(embedded: Path, request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(embedded)
    if request.param == "without a template":
        tokenizer.chat_template = None
    return tokenizer


def special(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    known = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return [i for i in ids if i in known]


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_a_question_adds_no_special_token_to_its_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str
) -> None:
    plain, hostile = (prompt_ids(tokenizer, question, CUE) for question in ("How many?", text))
    assert special(tokenizer, hostile) == special(tokenizer, plain)


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_the_student_reads_every_character_of_the_question(
    tokenizer: PreTrainedTokenizerBase, text: str
) -> None:
    assert text.strip() in tokenizer.decode(prompt_ids(tokenizer, f"Tom has 3. {text}", CUE))


def test_a_worked_example_adds_no_special_token_to_its_prompt(tokenizer: PreTrainedTokenizerBase) -> None:
    plain, hostile = (
        prompt_ids(tokenizer, "How many?", CUE, [Example(question=text, cue=CUE, rationale=text)])
        for text in ("1", TURN)
    )
    assert special(tokenizer, hostile) == special(tokenizer, plain)


def test_a_rationale_has_no_special_token_but_its_end(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = rationale_ids(tokenizer, TURN)
    assert special(tokenizer, ids) == [tokenizer.eos_token_id]
    assert tokenizer.decode(ids[:-1]) == TURN
