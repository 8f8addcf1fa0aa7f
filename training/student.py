"""Loads a student, its network and tokenizer, from a folder and saves it into one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any
from unittest.mock import patch

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from fdd.errors import RunFailedError, StudentError
from fdd.training.attention import GROUPED, is_plain
from fdd.training.device import Runtime
from fdd.training.prompts import prompt_ids, prompt_turns, shows_questions
from fdd.training.tasks import ConvertTask, Prompting, PromptTask
from fdd.training.weights import check_student, new_folder, write_checksums
from fdd.training.worker import is_out_of_memory

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
UNTAUGHT_TOKENS = 256
"""Longest answer, in tokens, of a student whose folder sets no limit."""
ORDINARY = "answer = 7"
"""Text that every tokenizer must know."""
NAMED, REASON = 3, 300
"""Most weights that an error message names, and most characters that it quotes from a library."""


@dataclass(frozen=True, slots=True)
class Student:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    runtime: Runtime

    @property
    def stop_ids(self) -> frozenset[int]:
        return stop_ids(self.model.generation_config, self.tokenizer)

    @property
    def positions(self) -> int | None:
        """Most tokens that a text may have; None with rotary embeddings, which exist for any position."""
        computed = any("rotary" in name for name, _ in self.model.named_modules())
        return None if computed else getattr(self.model.config, "max_position_embeddings", None)


def load_student(folder: Path, runtime: Runtime) -> Student:
    """Loads a student; raises `StudentError` if its files are damaged or do not belong together."""
    check_student(folder)
    tokenizer = load_tokenizer(folder)
    with loading(folder):
        library: Any = AutoModelForCausalLM
        model, report = library.from_pretrained(
            folder,
            dtype=runtime.dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # `check_weights` reports them
            output_loading_info=True,
            **LOCAL,
        )
    check_weights(folder, model, report)
    check_vocabulary(folder, model, tokenizer)
    if runtime.device.type == "cpu" and is_plain(model.config):
        model.set_attn_implementation(GROUPED)
    return Student(model.to(runtime.device), tokenizer, runtime)


def load_outline(folder: Path, runtime: Runtime) -> Student:
    """Returns a student without its weights, to encode prompts for a library that loads them itself."""
    check_student(folder)
    tokenizer = load_tokenizer(folder)
    with loading(folder), torch.device("meta"):
        library: Any = AutoModelForCausalLM
        model = library.from_config(AutoConfig.from_pretrained(folder, **LOCAL))
        model.generation_config = generation_config(folder)
    return Student(model, tokenizer, runtime)


def generation_config(folder: Path) -> GenerationConfig:
    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder, local_files_only=True)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder, **LOCAL))


def check_weights(folder: Path, model: PreTrainedModel, report: dict[str, Any]) -> None:
    """Checks that every weight of the network comes from the files and is finite, and that the files fit it.

    Transformers would fill missing weights with random numbers. Weights without a place in the network are a
    fault if they belong to a part that it has: one more layer, or a bias. More parts, such as a value head or
    an image encoder, do not change what the network computes.
    """
    known = {name for name, _ in model.named_modules()} - {"", model.base_model_prefix}
    parts = tuple(f"{name}." for name in known)
    surplus = {name for name in report["unexpected_keys"] if name.startswith(parts)}
    infinite = {name for name, weight in model.named_parameters() if not is_finite(weight)}
    sizes = {f"{name} {tuple(has)}, not {tuple(wants)}" for name, has, wants in report["mismatched_keys"]}
    files = f", which have {min(found)}" if (found := report["unexpected_keys"]) else ""
    for weights, fault in (
        (report["missing_keys"], f"are not in its files{files}"),
        (sizes, "have another size than its config.json says"),
        (surplus, "have no place in the network of its config.json"),
        (infinite, "have numbers that are not finite"),
    ):
        if weights:
            named = ", ".join(sorted(weights)[:NAMED]) + ", ..." * (len(weights) > NAMED)
            raise StudentError(
                f"the model in {str(folder)!r} is not whole: {len(weights)} weights {fault} ({named}); "
                "fetch it again, or save it with `save_pretrained`"
            )


def is_finite(weight: Tensor) -> bool:
    # NaN and infinity show in minimum and maximum, which take a tenth of the time of testing every number.
    return bool(torch.stack(weight.detach().aminmax()).isfinite().all())


def check_vocabulary(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Checks that every token has an embedding, but for special tokens that prompts do not use."""
    embeddings: Any = model.get_input_embeddings()
    rows = len(embeddings.weight)
    special = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    used = {*prompt_ids(tokenizer, "?", ORDINARY), tokenizer.eos_token_id}
    used |= set(tokenizer.get_vocab().values()) - special
    if outside := [token for token in used if token >= rows]:
        raise StudentError(
            f"the model in {str(folder)!r} has {rows} embeddings, and {len(outside)} tokens of its "
            "tokenizer have none: save it with its own tokenizer, or after `resize_token_embeddings`"
        )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    # Read first, because the tokenizer reads it too and would be blamed for its faults.
    with loading(folder, "config.json"):
        AutoConfig.from_pretrained(folder, **LOCAL)
    with loading(folder, "tokenizer (tokenizer.json or tokenizer.model)"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, **LOCAL)
        ids = tokenizer(ORDINARY, add_special_tokens=False)["input_ids"]
    if set(ids) <= {tokenizer.unk_token_id}:
        raise StudentError(
            f"the tokenizer of the model in {str(folder)!r} knows no words: its file is missing "
            "(tokenizer.json or tokenizer.model)"
        )
    with loading(folder, "chat template"):
        shown = shows_questions(tokenizer)
    if not shown:
        raise StudentError(f"the chat template of the model in {str(folder)!r} leaves out what a user asks")
    if tokenizer.eos_token_id is None:
        raise StudentError(f"the model in {str(folder)!r} has no end-of-text token, so it could never stop")
    return tokenizer


@contextmanager
def loading(folder: Path, part: str = "weights") -> Iterator[None]:
    """Turns errors of libraries into a `StudentError` that names the student and the part."""
    try:
        yield
    except Exception as error:
        # Libraries raise nearly every type of error for a folder that is not as they expect.
        if is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).splitlines()[:2])}"
        raise StudentError(
            f"cannot load the model in {str(folder)!r}: its {part}: {shorten(reason, REASON)}"
        ) from None


def stop_ids(config: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    configured = config.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [*several, tokenizer.eos_token_id] if i is not None)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def describe_prompts(task: PromptTask, _: object) -> Prompting:
    """Returns the examples as chats, and the settings with which other programs generate as we do."""
    tokenizer = load_tokenizer(task.student)
    with loading(task.student):
        found = generation_config(task.student)
    return Prompting(
        chats=tuple(
            (
                *prompt_turns(tokenizer, each.question, each.cue),
                {"role": "assistant", "content": each.rationale},
            )
            for each in task.examples
        ),
        templated=bool(tokenizer.chat_template),
        max_new_tokens=task.config.max_new_tokens or found.max_new_tokens or UNTAUGHT_TOKENS,
        stop_ids=tuple(sorted(stop_ids(found, tokenizer))),
        pad_id=pad_id(tokenizer),
    )


def convert(task: ConvertTask, _: object) -> None:
    """De-quantizes the weights and saves them in bfloat16, with the tokenizer."""
    import gguf.gguf_reader  # slow, and needed only here
    import numpy

    source = {"pretrained_model_name_or_path": str(task.gguf.parent), "gguf_file": task.gguf.name}
    # Transformers reads the file three times, and asks for the names of weights anew for each module. It also
    # slices the file once for each word of the vocabulary, at which numpy is slow if the file is mapped.
    reader, names = cache(gguf.GGUFReader), cache(gguf.get_tensor_name_map)
    with (
        patch.object(gguf, "GGUFReader", reader),
        patch.object(gguf, "get_tensor_name_map", names),
        patch.object(numpy, "memmap", lambda path, dtype=numpy.uint8, **_: numpy.fromfile(path, dtype)),
    ):
        tokenizer = AutoTokenizer.from_pretrained(**source)
        model: Any = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # The weights are de-quantized by now, but save_pretrained refuses a model that is marked as quantized.
    del model.config.quantization_config, model.hf_quantizer, model.quantization_method
    model.is_quantized = False
    model.config._name_or_path = ""
    if task.tied:
        model.get_input_embeddings().weight = model.get_output_embeddings().weight
        model.config.tie_word_embeddings = True
    model.to(torch.bfloat16).save_pretrained(task.output)
    tokenizer.save_pretrained(task.output)


def save_student(student: Student, output: Path) -> None:
    """Writes the student's files and their checksums into the folder, completely or not at all."""
    # Greedy decoding, as in our evaluations. All other settings are dropped, since transformers refuses to
    # save flags that some hub models have.
    student.model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        eos_token_id=sorted(student.stop_ids),
        max_new_tokens=student.model.generation_config.max_new_tokens,
        pad_token_id=pad_id(student.tokenizer),
    )
    try:
        with new_folder(output) as folder:
            student.model.save_pretrained(folder)
            student.tokenizer.save_pretrained(folder)
            write_checksums(folder)
            shutil.rmtree(output, ignore_errors=True)  # a folder cannot be renamed to one that is not empty
    except Exception as error:
        # The tokenizer's library reports errors of the operating system without a type of their own.
        if not isinstance(error, OSError | SafetensorError) and "(os error" not in str(error):
            raise
        raise RunFailedError(
            f"cannot save the student into {str(output)!r}: {error}; mend that, then `resume`"
        ) from None
