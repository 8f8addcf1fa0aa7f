"""Describes how other programs are to prompt a student: chat turns, end tokens, longest answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoConfig, GenerationConfig

from fdd.training.config import GenerateConfig
from fdd.training.generate import UNTAUGHT_TOKENS
from fdd.training.prompts import prompt_turns
from fdd.training.student import LOCAL, load_tokenizer, loading, stop_ids
from fdd.training.tasks import Example, Prompting


def how_to_ask(folder: Path, examples: Sequence[Example], config: GenerateConfig) -> Prompting:
    """Returns the examples as chats, and the settings with which `generate` answers as in our evaluations."""
    tokenizer = load_tokenizer(folder)
    with loading(folder):
        found = generation_config(folder)
    pad = tokenizer.pad_token_id
    return Prompting(
        chats=tuple(
            (
                *prompt_turns(tokenizer, example.question, example.cue),
                {"role": "assistant", "content": example.rationale},
            )
            for example in examples
        ),
        templated=bool(tokenizer.chat_template),
        max_new_tokens=config.max_new_tokens or found.max_new_tokens or UNTAUGHT_TOKENS,
        stop_ids=tuple(sorted(stop_ids(found, tokenizer))),
        pad_id=tokenizer.eos_token_id if pad is None else pad,
    )


def generation_config(folder: Path) -> GenerationConfig:
    """Returns the generation config that a network loaded from the folder would have."""
    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder, local_files_only=True)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder, **LOCAL))
