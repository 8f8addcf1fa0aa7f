"""Builds the student's prompts. Training and generation use the same function, so they cannot differ."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from fdd.training.tasks import Example, Turn

SHOWN = "a mark"  # looked for in what a chat template makes of it


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, question: str, cue: str, shots: Sequence[Example] = ()
) -> list[int]:
    """Returns the prompt's token ids. What looks like a special token is encoded as ordinary characters."""
    turns = prompt_turns(tokenizer, question, cue, shots)
    if not tokenizer.chat_template:
        return _literal_ids(tokenizer, turns[0]["content"], begin=True)
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, sanitize_control_tokens=True, return_dict=False
    )
    return list(ids)


def prompt_turns(
    tokenizer: PreTrainedTokenizerBase, question: str, cue: str, shots: Sequence[Example] = ()
) -> list[Turn]:
    """Returns the same prompt as chat turns; without a chat template, one user turn with the whole text."""
    if not tokenizer.chat_template:
        blocks = [f"Question: {shot.question}\nAnswer:\n{shot.rationale}\n\n" for shot in shots]
        text = f"{cue}\n\n{''.join(blocks)}Question: {question}\nAnswer:\n"
        return [{"role": "user", "content": text}]
    system, first, *rest = _chat(question, cue, shots)
    if _shows_system_turns(tokenizer):
        return [system, first, *rest]
    return [{"role": "user", "content": f"{cue}\n\n{first['content']}"}, *rest]


def rationale_ids(tokenizer: PreTrainedTokenizerBase, rationale: str) -> list[int]:
    """Returns the token ids that the student is to write, including the end token."""
    return [*_literal_ids(tokenizer, rationale, begin=False), tokenizer.eos_token_id]


def shows_questions(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template shows what a user says; True without a template."""
    return not tokenizer.chat_template or SHOWN in _rendered(tokenizer, [{"role": "user", "content": SHOWN}])


def _shows_system_turns(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template shows system turns; some raise an error for one, others drop it silently."""
    try:
        return SHOWN in _rendered(tokenizer, _chat("?", SHOWN, ()))
    except TemplateError:
        return False


def _rendered(tokenizer: PreTrainedTokenizerBase, turns: list[Turn]) -> str:
    return str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))


def _literal_ids(tokenizer: PreTrainedTokenizerBase, text: str, *, begin: bool) -> list[int]:
    """Encodes text without special tokens, but with the one that begins every text if `begin` is true."""
    ids = list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    if not begin:
        return ids
    whole = list(tokenizer(text, split_special_tokens=True)["input_ids"])
    added = len(whole) - len(ids)
    # What some tokenizers append is left out.
    before = next((n for n in range(added) if whole[n : n + len(ids)] == ids), added)
    return whole[: before + len(ids)]


def _chat(question: str, cue: str, shots: Sequence[Example]) -> list[Turn]:
    turns = [{"role": "system", "content": cue}]
    for shot in shots:
        turns.append({"role": "user", "content": shot.question})
        turns.append({"role": "assistant", "content": shot.rationale})
    return [*turns, {"role": "user", "content": question}]
