"""A student in memory: its network and its tokenizer, loaded from a folder and saved into one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from errors import RunFailedError, StudentError
from training.attention import GROUPED, is_plain
from training.device import Runtime
from training.weights import check_student, new_folder, seal

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class Student:
    """What `load_student` gives."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    runtime: Runtime

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a text."""
        return stop_ids(self.model.generation_config, self.tokenizer)


def load_student(folder: Path, runtime: Runtime) -> Student:
    """Read a student's folder; `StudentError` where its files are damaged or do not belong together."""
    check_student(folder)
    tokenizer = load_tokenizer(folder)
    with loading(folder):
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=runtime.dtype, use_safetensors=True, **LOCAL
        )
    if runtime.device.type == "cpu" and is_plain(model.config):
        model.set_attn_implementation(GROUPED)
    return Student(model.to(runtime.device), tokenizer, runtime)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    with loading(folder):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, **LOCAL)
    if tokenizer.eos_token_id is None:
        raise StudentError(f"the student in {str(folder)!r} has no end-of-text token, so it could never stop")
    return tokenizer


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Says of what libraries raise which student it was about."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StudentError(f"cannot load the student in {str(folder)!r}: {reason}") from None


def stop_ids(config: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    configured = config.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [*several, tokenizer.eos_token_id] if i is not None)


def save_student(student: Student, output: Path) -> None:
    """Write the student's files and their checksums into the folder, whole or not at all."""
    student.model.generation_config = how_to_generate(student)
    try:
        with replaced_folder(output) as folder:
            student.model.save_pretrained(folder)
            student.tokenizer.save_pretrained(folder)
            seal(folder)
    except Exception as error:
        # The tokenizer's library has no type of its own for what the system refuses it.
        if not isinstance(error, OSError | SafetensorError) and "(os error" not in str(error):
            raise
        raise RunFailedError(
            f"cannot save the student into {str(output)!r}: {error}; then `resume`"
        ) from None


def how_to_generate(student: Student) -> GenerationConfig:
    """What our exams, which are greedy, ask of it; transformers refuses to save some flags of some hubs."""
    pad = student.tokenizer.pad_token_id
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        eos_token_id=sorted(student.stop_ids),
        max_new_tokens=student.model.generation_config.max_new_tokens,
        pad_token_id=student.tokenizer.eos_token_id if pad is None else pad,
    )


@contextmanager
def replaced_folder(output: Path) -> Iterator[Path]:
    with new_folder(output) as folder:
        yield folder
        shutil.rmtree(output, ignore_errors=True)
