from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers import AutoTokenizer

from fdd.training.config import GenerateConfig
from fdd.training.prompts import prompt_ids
from fdd.training.student import describe_prompts
from fdd.training.tasks import Example, Prompting, PromptTask
from tests.training.test_prompts import CHAT, NO_SYSTEM

EXAMPLE = Example(question="2 + 3?", cue="Compute.", rationale="answer = 5")


def described(folder: Path, *examples: Example, longest: int | None = None) -> Prompting:
    config = GenerateConfig(max_new_tokens=longest)
    return describe_prompts(PromptTask(student=folder, examples=examples, config=config), None)


def with_template(tiny: Path, folder: Path, template: str) -> Path:
    shutil.copytree(tiny, folder)
    (folder / "chat_template.jinja").write_text(template)
    return folder


def test_a_chat_read_through_the_template_is_the_prompt_that_the_student_is_trained_on(
    tiny: Path, tmp_path: Path
) -> None:
    for number, (template, roles) in enumerate([(CHAT, ["system", "user"]), (NO_SYSTEM, ["user"])]):
        folder = with_template(tiny, tmp_path / str(number), template)
        found = described(folder, EXAMPLE)
        assert found.templated
        *asked, written = found.chats[0]
        assert [turn["role"] for turn in asked] == roles
        assert written == {"role": "assistant", "content": "answer = 5"}
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
        assert ids == prompt_ids(tokenizer, "2 + 3?", "Compute.")


def test_without_a_template_the_only_turn_is_the_whole_prompt(tiny: Path) -> None:
    found = described(tiny, EXAMPLE)
    assert not found.templated
    assert found.chats[0][0] == {"role": "user", "content": "Compute.\n\nQuestion: 2 + 3?\nAnswer:\n"}


def test_the_folder_says_how_long_an_answer_may_be_unless_the_run_does(tiny: Path, tmp_path: Path) -> None:
    assert described(tiny).max_new_tokens == 256
    folder = tmp_path / "taught"
    shutil.copytree(tiny, folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 7], "max_new_tokens": 9}))
    found = described(folder)
    assert (found.max_new_tokens, found.stop_ids, found.pad_id) == (9, (3, 7, 256), 256)
    assert described(folder, longest=5).max_new_tokens == 5
