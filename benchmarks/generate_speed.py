"""Compares our generation loop with plain `model.generate`, in generated tokens per second.

    python benchmarks/generate_speed.py [questions]

vLLM is measured too where it is installed. All use the same student and questions, decode greedily in the
same number format, and have the same batch size and limit of new tokens. `model.generate` gets the questions
in their given order, padded on the left. Tokens are counted up to and including the end mark; what a row
computes after that is not counted. Questions are asked alone, and after worked examples as the untaught
student is asked in a run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.training.worker import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

import torch

from benchmarks.lessons import compare, load_examples
from fdd.settings import cache_folder
from fdd.training.config import GenerateConfig
from fdd.training.device import choose_runtime
from fdd.training.fetch import student_path
from fdd.training.generate import generate
from fdd.training.prompts import prompt_ids
from fdd.training.student import Student, load_student
from fdd.training.tasks import Batch, Event, Example, GenerateTask, Request

ROWS = 32
"""Batch size."""
CONFIG = GenerateConfig(max_new_tokens=64, batch_size=ROWS)
SHOTS = 4  # the default of the setting `shots`


def ours(student: Student, requests: Sequence[Request]) -> float:
    events: list[Event] = []
    began = time.monotonic()
    generate(student, requests, CONFIG, events.append)
    batches = [event for event in events if isinstance(event, Batch)]
    written = sum(completion.new_tokens for batch in batches for completion in batch.completions)
    return written / (time.monotonic() - began)


def plain(student: Student, requests: Sequence[Request]) -> float:
    """Measures `model.generate`. The time to build prompts is included, as in our loop."""
    began, written = time.monotonic(), 0
    for start in range(0, len(requests), ROWS):
        part = requests[start : start + ROWS]
        prompts = [prompt_ids(student.tokenizer, r.question, r.cue, r.shots) for r in part]
        written += generate_plainly(student, prompts)
    return written / (time.monotonic() - began)


def by_vllm(folder: Path, requests: Sequence[Request]) -> float:
    """Measures `--backend vllm`, without the time to load it, and with no prompt read before."""
    from fdd.training import vllm_backend

    config = replace(CONFIG, backend="vllm")
    task = GenerateTask(student=folder, requests=tuple(requests), config=config)
    engine, student, items = vllm_backend.prepared(task)
    engine.reset_prefix_cache()
    began = time.monotonic()
    written = sum(each.new_tokens for each in vllm_backend.answers(engine, student, items, task))
    return written / (time.monotonic() - began)


def generate_plainly(student: Student, prompts: Sequence[list[int]]) -> int:
    batch = student.tokenizer.pad({"input_ids": list(prompts)}, padding_side="left", return_tensors="pt")
    model: Any = student.model
    with torch.inference_mode():
        texts = model.generate(
            **batch.to(student.runtime.device), max_new_tokens=CONFIG.max_new_tokens, do_sample=False
        )
    return sum(
        written_tokens(row, student.stop_ids) for row in texts[:, batch["input_ids"].shape[1] :].tolist()
    )


def written_tokens(row: Sequence[int], stops: frozenset[int]) -> int:
    ends = [place for place, token in enumerate(row, start=1) if token in stops]
    return min(ends, default=len(row))


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    folder = student_path("smollm2-135m", cache_folder())
    student = load_student(folder, choose_runtime("auto"))
    untouched = load_student(folder, choose_runtime("auto"))
    untouched.model.set_attn_implementation("sdpa")  # instead of our own attention for CPUs
    examples = load_examples(size + SHOTS)
    shots, asked = tuple(examples[:SHOTS]), examples[SHOTS:]
    for title, shown in (("questions alone", ()), (f"after {SHOTS} worked examples", shots)):
        requests = as_requests(asked, shown)
        print(title)
        ways = {
            "ours": partial(ours, student, requests),
            "model.generate": partial(plain, untouched, requests),
        }
        compare(ways | ({"vLLM": partial(by_vllm, folder, requests)} if find_spec("vllm") else {}))


def as_requests(asked: Sequence[Example], shots: tuple[Example, ...]) -> list[Request]:
    return [
        Request(key=str(i), question=example.question, cue=example.cue, shots=shots)
        for i, example in enumerate(asked)
    ]


if __name__ == "__main__":
    main()
