"""What of a model's reply is read, and what is not."""

import pytest

from fdd.agents.models.replies import explain_malformed, read_parts

ANSWER = "<answer>7</answer>"


def test_a_part_is_what_stands_between_its_tags() -> None:
    assert read_parts("<problem>\nHow many?\n</problem>\n" + ANSWER, ("problem", "answer")) == {
        "problem": "How many?",
        "answer": "7",
    }


def test_words_around_the_tags_are_passed_over() -> None:
    assert read_parts(f"Sure! Here it is:\n{ANSWER}\nHope this helps.", ("answer",)) == {"answer": "7"}


def test_what_a_reasoning_model_thinks_aloud_is_passed_over() -> None:
    thinking = "<think>\nMaybe <answer>8</answer>?\n</think>\n"
    assert read_parts(thinking + ANSWER, ("answer",)) == {"answer": "7"}


DRAFT = "The format wants <answer> and </answer> around it, so <answer>8</answer>?"


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<think>", "</think>"),
        ("<Think>", "</Think>"),
        ("<thinking>", "</thinking>"),
        ("<thought>", "</thought>"),
        ("<reasoning>", "</reasoning>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel|>analysis<|message|>", "<|channel|>final <|constrain|>json<|message|>"),
        ("analysis", "assistantfinal"),
        ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
        ("<|inner_prefix|>", "<|inner_suffix|>"),
        ("<unused94>thought", "<unused95>"),
        ("Here is my thought process:", "Here is my response:"),
        ("<longcat_think>", "</longcat_think>"),
        ("<analysis>", "</analysis>"),
        ("<think>", "</think >"),
    ],
)
@pytest.mark.parametrize("opened", [True, False])
def test_thoughts_are_passed_over_whatever_closes_them_and_whoever_opened_them(
    opening: str, closing: str, opened: bool
) -> None:
    reply = f"{opening if opened else ''}\n{DRAFT}\n{closing}\n\n{ANSWER}"
    assert read_parts(reply, ("answer",)) == {"answer": "7"}


def test_the_last_of_several_thoughts_ends_them_all() -> None:
    reply = f"<think>{DRAFT}</think>Wait. {ANSWER}<think>{DRAFT}</think>{ANSWER}"
    assert read_parts(reply, ("answer",)) == {"answer": "7"}


@pytest.mark.parametrize("opening", ["<think>", "\n<reasoning>", "[THINK]"])
def test_a_thought_without_an_end_says_nothing(opening: str) -> None:
    assert read_parts(f"{opening}\nMaybe {ANSWER}", ("answer",)) is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "the reply is empty"),
        ("seven", "not one each of <question>, <answer>"),
        (f"<think>{DRAFT}</think>\n", "all that the model wrote is what it thought (think)"),
        (f"<think>{DRAFT}", "all that the model wrote is what it thought (a thought without an end)"),
        (f"<reasoning_content>{ANSWER}</reasoning_content>", "what it thought (reasoning_content)"),
    ],
)
def test_a_reply_that_cannot_be_read_is_explained(reply: str, why: str) -> None:
    assert why in explain_malformed(reply, ("question", "answer"))


@pytest.mark.parametrize("fence", ["```python\n", "```\n"])
def test_the_fences_of_a_code_block_that_is_all_of_a_part_are_taken_off(fence: str) -> None:
    assert read_parts(f"<rationale>\n{fence}answer = 7\n```\n</rationale>", ("rationale",)) == {
        "rationale": "answer = 7"
    }


def test_an_empty_part_is_read_as_empty() -> None:
    assert read_parts("It has no answer. <rationale>\n</rationale>", ("rationale",)) == {"rationale": ""}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "7",
        "<answer>7",
        "7</answer>",
        "</answer>7<answer>",
        f"{ANSWER} {ANSWER}",
        "<answer>7</answer></answer>",
        "<Answer>7</Answer>",
    ],
)
def test_a_tag_that_is_missing_open_or_doubled_spoils_the_reply(reply: str) -> None:
    assert read_parts(reply, ("answer",)) is None


def test_parts_in_another_order_spoil_the_reply() -> None:
    assert read_parts(f"{ANSWER}<problem>x</problem>", ("problem", "answer")) is None
