"""Measures in a few seconds how fast a student trains and answers on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from fdd.errors import StudentError
from fdd.training.config import ROWS, FineTuneConfig
from fdd.training.data import IGNORED, Row
from fdd.training.device import choose_runtime, describe, free_bytes, no_room
from fdd.training.fine_tune import Trainer, with_adapters
from fdd.training.parallel import at_once, threads_for
from fdd.training.reading import Reading, read_prompts
from fdd.training.student import Student, load_student
from fdd.training.tasks import ANSWER_TOKENS, PROMPT_TOKENS, DescribeTask, Measured, MeasureTask, Speed

WRITTEN = 8
"""Tokens written to each of the batch's questions in each repetition."""
SECONDS, LEAST, MOST = 2.0, 2, 3
"""A measurement is repeated until it has taken these seconds, but so many times at least and at most."""


def perform(task: MeasureTask, _: object) -> Measured:
    runtime = choose_runtime(task.device)
    student = load_student(task.student, runtime)
    weights = sum(weight.numel() for weight in student.model.parameters())
    fault = no_room(weights, runtime.dtype, free_bytes(runtime))
    if fault and task.config.method == "full":
        raise StudentError(fault)
    report = describe(DescribeTask(device=task.device), None)
    return Measured(device=report, speed=measure(student, task.config))


def measure(student: Student, config: FineTuneConfig) -> Speed:
    """Trains for a few steps at learning rate 0, and reads prompts and writes answers in a batch."""
    token = student.tokenizer.eos_token_id
    length = min(PROMPT_TOKENS + ANSWER_TOKENS, student.positions or config.max_length, config.max_length)
    answer = (token,) * max(1, length * ANSWER_TOKENS // (PROMPT_TOKENS + ANSWER_TOKENS))
    prompt = (token,) * (length - len(answer))
    student.model.train(False)
    # Every prompt begins with a different token, because a beginning that all share is read only once.
    known: Any = student.model.get_input_embeddings()
    texts = [[row % known.num_embeddings, *prompt[1:]] for row in range(ROWS // 4)]
    # Prompts of full length would take longer to read, and hardly change the speed of writing.
    begun = [[row % known.num_embeddings, token] for row in range(ROWS)]
    # All repetitions together must fit into the student's positions.
    written = max(1, min(WRITTEN, len(answer) // MOST))

    @torch.inference_mode()
    def read(share: list[list[int]]) -> Reading:
        state = read_prompts(student, share)
        state.logits.sum().item()  # waits until the device has finished
        return state

    @torch.inference_mode()
    def write(state: Reading) -> None:
        for _ in range(written):
            state.advance(state.logits.float().argmax(dim=-1))
        state.logits.sum().item()

    read(texts[:2])  # warms up
    threads = threads_for(student.runtime)
    began = time.monotonic()
    at_once([partial(read, texts[i::threads]) for i in range(threads)])
    reading = len(texts) * len(prompt) / (time.monotonic() - began)
    states = at_once([partial(read, begun[i::threads]) for i in range(threads)])
    writing = ROWS * written / seconds_of(lambda: at_once([partial(write, state) for state in states]))
    row = Row(prompt + answer, (IGNORED,) * len(prompt) + answer)
    batch = [row] * config.batch_size
    model = with_adapters(student.model, config) if config.method == "lora" else student.model
    # Any beta2 does, since the rate is 0. A batch that is halved for lack of memory is reported in training.
    trainer = Trainer(student, model, config, lambda _: None, beta2=0.9)
    trainer.step(batch[:1], rate=0.0)  # warms up, and makes the optimizer's moments
    training = len(batch) * len(row) / seconds_of(lambda: trainer.step(batch, rate=0.0))
    return Speed(training=training, reading=reading, writing=writing)


def seconds_of(work: Callable[[], object]) -> float:
    """Returns the time of the fastest repetition: whatever else the machine does only slows the others."""
    times: list[float] = []
    while len(times) < LEAST or (len(times) < MOST and sum(times) < SECONDS):
        began = time.monotonic()
        work()
        times.append(time.monotonic() - began)
    return min(times)
