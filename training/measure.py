"""Measures how fast a student trains and answers on this machine, in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from training.config import FineTuneConfig
from training.data import IGNORED, Row
from training.fine_tune import Trainer, with_adapters
from training.parallel import at_once, threads_for
from training.reading import Reading, read_prompts
from training.student import Student
from training.tasks import ANSWER_TOKENS, PROMPT_TOKENS, Event, Speed

ROWS = 64
"""Questions answered together."""
WRITTEN = 8
"""Tokens of each answer."""
SECONDS = 2.0
MOST = 3
"""A measurement is repeated until it has taken `SECONDS`, but at most this often."""


def measure(student: Student, config: FineTuneConfig) -> Speed:
    """Train for a few steps at rate zero, and read and write a batch of texts."""
    token = student.tokenizer.eos_token_id
    length = min(PROMPT_TOKENS + ANSWER_TOKENS, student.positions or config.max_length, config.max_length)
    answer = (token,) * max(1, length * ANSWER_TOKENS // (PROMPT_TOKENS + ANSWER_TOKENS))
    prompt = (token,) * (length - len(answer))
    student.model.train(False)
    # Every text begins with another token, because a beginning that all share is read only once.
    known: Any = student.model.get_input_embeddings()
    texts = [[row % known.num_embeddings, *prompt[1:]] for row in range(ROWS)]
    written = max(1, min(WRITTEN, len(answer) // MOST))

    @torch.inference_mode()
    def read(share: list[list[int]]) -> Reading:
        state = read_prompts(student, share)
        state.logits.sum().item()  # waits for the device
        return state

    @torch.inference_mode()
    def write(state: Reading) -> None:
        for _ in range(written):
            state.advance(student, state.logits.float().argmax(dim=-1))
        state.logits.sum().item()

    read(texts[:2])  # warms up
    threads = threads_for(student.runtime)
    began = time.monotonic()
    states = at_once([partial(read, texts[i::threads]) for i in range(threads)])
    reading = ROWS * len(prompt) / (time.monotonic() - began)
    writing = ROWS * written / seconds_of(lambda: at_once([partial(write, state) for state in states]))
    row = Row(prompt + answer, (IGNORED,) * len(prompt) + answer)
    batch = [row] * config.batch_size
    model = with_adapters(student.model, config) if config.method == "lora" else student.model
    trainer = Trainer(student, model, config, ignore, beta2=0.9)
    trainer.step(batch, rate=0.0)  # warms up, and makes the optimizer's moments
    training = len(batch) * len(row) / seconds_of(lambda: trainer.step(batch, rate=0.0))
    return Speed(training=training, reading=reading, writing=writing)


def seconds_of(work: Callable[[], object]) -> float:
    """Of one repetition, on average."""
    began, times = time.monotonic(), 0
    while times < MOST and (times == 0 or time.monotonic() - began < SECONDS):
        work()
        times += 1
    return (time.monotonic() - began) / times


def ignore(_: Event) -> None:
    """A batch that was halved for want of memory is news in the training itself."""
