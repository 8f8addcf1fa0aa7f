"""Compares our training loop with `transformers.Trainer`, in training tokens per second.

    python benchmarks/train_speed.py [examples]

All use the same student, examples, batch size and number format for computing. Tokens of the examples are
counted, padding is not. The default collator cannot pad, so its rows are first padded to the longest row.
Two more Trainers pad each batch, one of them with its weights stored in the computing format, so that the
comparison does not depend on these choices. Saving the student is not timed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.training.worker import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

import torch
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForSeq2Seq,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)

from benchmarks.lessons import compare, load_examples
from fdd.settings import cache_folder
from fdd.training.config import FineTuneConfig
from fdd.training.data import IGNORED, Row, encode
from fdd.training.device import choose_runtime
from fdd.training.fetch import student_path
from fdd.training.fine_tune import fine_tune
from fdd.training.student import load_student
from fdd.training.tasks import Event, Example

CONFIG = FineTuneConfig(epochs=1)


def ignore(event: Event) -> None:
    """Ignores the progress of a training."""


def ours(folder: Path, examples: Sequence[Example]) -> float:
    student = load_student(folder, choose_runtime("auto"))
    with tempfile.TemporaryDirectory() as output:
        result = fine_tune(student, examples, Path(output) / "student", CONFIG, ignore)
    return result.tokens / result.seconds


class Clock(TrainerCallback):
    """Measures the time of the steps, without the Trainer's preparation."""

    began = ended = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.monotonic()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.ended = time.monotonic()


def trainer(
    folder: Path, rows: Sequence[Row], collate: Callable[..., Any], *, mixed: bool, padded: bool
) -> float:
    runtime = choose_runtime("auto")
    half = runtime.dtype == torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32 if mixed else runtime.dtype)
    width = max(map(len, rows)) if padded else 0
    clock = Clock()
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            per_device_train_batch_size=CONFIG.batch_size,
            num_train_epochs=CONFIG.epochs,
            learning_rate=CONFIG.learning_rate,
            bf16=half and mixed,
            use_cpu=runtime.device.type == "cpu",
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        data: Any = [as_features(row, width) for row in rows]
        contestant = Trainer(model, arguments, collate, data, callbacks=[clock])
        contestant.remove_callback(PrinterCallback)
        contestant.train()
    return sum(map(len, rows)) / (clock.ended - clock.began)


def as_features(row: Row, width: int) -> dict[str, list[int]]:
    padding = max(0, width - len(row))
    return {
        "input_ids": [*row.ids, *[0] * padding],
        "attention_mask": [1] * len(row) + [0] * padding,
        "labels": [*row.labels, *[IGNORED] * padding],
    }


def main() -> None:
    warnings.simplefilter("ignore")
    folder = student_path("smollm2-135m", cache_folder())
    examples = load_examples(int(sys.argv[1]) if len(sys.argv) > 1 else 32)
    tokenizer = load_student(folder, choose_runtime("auto")).tokenizer
    rows = [encode(tokenizer, example) for example in examples]
    pad_each = DataCollatorForSeq2Seq(tokenizer)
    compare(
        {
            "ours": lambda: ours(folder, examples),
            "Trainer, default collator": lambda: trainer(
                folder, rows, default_data_collator, mixed=True, padded=True
            ),
            "Trainer, padding each batch": lambda: trainer(folder, rows, pad_each, mixed=True, padded=False),
            "Trainer, padding each batch, weights in bfloat16": lambda: trainer(
                folder, rows, pad_each, mixed=False, padded=False
            ),
        }
    )


if __name__ == "__main__":
    main()
