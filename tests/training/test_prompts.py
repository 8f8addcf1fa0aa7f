import pytest
from tokenizers.processors import TemplateProcessing

from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.student import Student
from fdd.training.tasks import Example

CHAT = (
    "{% for turn in messages %}<{{ turn['role'] }}>{{ turn['content'] }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + CHAT
)
DROPPED = CHAT.replace("messages %}", "messages if turn['role'] != 'system' %}")
SHOT = Example(question="1 + 1?", cue="Compute.", rationale="answer = 2")


def text_of(student: Student, template: str | None, *shots: Example) -> str:
    student.tokenizer.chat_template = template
    return str(student.tokenizer.decode(prompt_ids(student.tokenizer, "2 + 3?", "Compute.", shots)))


def test_a_chat_template_gets_the_cue_as_its_system_turn(student: Student) -> None:
    assert text_of(student, CHAT) == "<system>Compute.</><user>2 + 3?</><assistant>"


def test_shots_are_earlier_turns(student: Student) -> None:
    assert text_of(student, CHAT, SHOT) == (
        "<system>Compute.</><user>1 + 1?</><assistant>answer = 2</><user>2 + 3?</><assistant>"
    )


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPPED])
def test_the_cue_moves_into_the_first_user_turn_where_system_turns_are_refused_or_dropped(
    student: Student, template: str
) -> None:
    assert text_of(student, template, SHOT) == (
        "<user>Compute.\n\n1 + 1?</><assistant>answer = 2</><user>2 + 3?</><assistant>"
    )


def test_without_a_template_the_prompt_is_plain_text(student: Student) -> None:
    assert text_of(student, None, SHOT) == (
        "Compute.\n\nQuestion: 1 + 1?\nAnswer:\nanswer = 2\n\nQuestion: 2 + 3?\nAnswer:\n"
    )


@pytest.mark.parametrize("pattern", ["$A <|end|>", "<|end|> $A", "<|end|> $A <|end|>", "$A <|end|> <|end|>"])
def test_what_a_tokenizer_puts_behind_every_text_is_not_part_of_a_prompt(
    student: Student, pattern: str
) -> None:
    end = student.tokenizer.eos_token_id
    inner = student.tokenizer.backend_tokenizer
    inner.post_processor = TemplateProcessing(single=pattern, special_tokens=[("<|end|>", end)])
    begin = "<|end|>" if pattern.startswith("<") else ""
    assert text_of(student, None) == f"{begin}Compute.\n\nQuestion: 2 + 3?\nAnswer:\n"
    assert rationale_ids(student.tokenizer, "x = 1").count(end) == 1


def test_a_rationale_ends_with_the_end_mark(student: Student) -> None:
    ids = rationale_ids(student.tokenizer, "x = 1")
    assert ids[-1] == student.tokenizer.eos_token_id
    assert student.tokenizer.decode(ids[:-1]) == "x = 1"
