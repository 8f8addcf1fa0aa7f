"""What of a model's reply is read, and what is not."""

import pytest

from agents.replies import read_parts

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
