"""Fine-tunes a student on rationales in a plain training loop; prompts do not count in the loss."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from functools import partial
from itertools import chain, count, islice
from math import ceil, isfinite, nan
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fdd.errors import RunFailedError
from fdd.training.config import FineTuneConfig
from fdd.training.data import Row, epoch_batches, fitting_rows, micro_batches, split_evenly
from fdd.training.data_parallel import add_up, is_first, share_of
from fdd.training.device import choose_runtime, free_bytes, free_memory, tokens_at_once
from fdd.training.optimizer import Optimizer, load_state, save_state
from fdd.training.parallel import at_once
from fdd.training.replica import replicas_of
from fdd.training.schedule import Schedule, schedule
from fdd.training.student import Student, is_finite, load_student, save_student
from fdd.training.tasks import Example, FineTuned, FineTuneTask, Notice, OnEvent, Step
from fdd.training.worker import is_out_of_memory

ROOM = 5 / 4
"""Longest answer of the trained student, as a multiple of the longest rationale that it was taught."""

PROGRESS = "progress"
"""Key in a checkpoint of the losses of all steps so far, the number of tokens, and the seconds."""


def perform(task: FineTuneTask, on_event: OnEvent) -> FineTuned:
    student = load_student(task.student, choose_runtime(task.device))
    files = {"state_from": task.state_from, "state_to": task.state_to, "checkpoint": task.checkpoint}
    return fine_tune(student, task.examples, task.output, task.config, on_event, **files)


def fine_tune(
    student: Student,
    examples: Sequence[Example],
    output: Path,
    config: FineTuneConfig,
    on_event: OnEvent,
    *,
    state_from: Path | None = None,
    state_to: Path | None = None,
    checkpoint: Path | None = None,
) -> FineTuned:
    """Does what `FineTuneTask` says. Raises `PreflightError` before any step if the examples cannot be used,
    and `RunFailedError` if training diverges. Of several processes that train one student together, only the
    first one writes files.
    """
    positions = student.positions or config.max_length
    rows = fitting_rows(examples, student.tokenizer, config, positions)
    if truncated := len(examples) - len(rows):
        set_length = f"--max-length {config.max_length}"
        limit = set_length if positions >= config.max_length else f"the student's {positions} positions"
        on_event(Notice(text=f"left out {truncated} of {len(examples)} examples: longer than {limit}"))
    torch.manual_seed(config.seed)  # LoRA's initial matrices are drawn from it
    model: Any = with_adapters(student.model, config) if config.method == "lora" else student.model
    steps = config.max_steps or config.epochs * ceil(len(rows) / config.batch_size)
    plan = schedule(steps, config, goes_on=state_from is not None, is_last=state_to is None)
    rng = random.Random(config.seed)
    epochs = (epoch_batches(rows, config.batch_size, rng) for _ in count())
    batches = list(islice(chain.from_iterable(epochs), plan.steps))
    # A squared gradient counts half after `second_moment_half_life` tokens.
    mean_tokens = sum(len(row) for batch in batches for row in batch) / len(batches)
    beta2 = 0.5 ** (mean_tokens / config.second_moment_half_life)
    trainer = Trainer(student, model, config, on_event, beta2=beta2)
    losses, tokens, earlier = [], 0, 0.0
    if checkpoint and checkpoint.exists():
        losses, tokens, earlier = json.loads(load_state(trainer.weights, checkpoint)[PROGRESS])
        on_event(Notice(text=f"training goes on after step {len(losses)} of {plan.steps}"))
    elif state_from:
        load_state(trainer.weights, state_from)
    began = kept = time.monotonic()
    for number, batch in enumerate(batches[len(losses) :], start=len(losses)):
        if checkpoint and is_first() and time.monotonic() - kept >= config.checkpoint_seconds:
            progress = json.dumps((losses, tokens, earlier + time.monotonic() - began))
            save_state(trainer.weights, checkpoint, {PROGRESS: progress})
            kept = time.monotonic()
        # The next training continues from before the rate falls (see `training.schedule`).
        if state_to and is_first() and number == plan.stable:
            save_state(trainer.weights, state_to)
        losses.append(trainer.step(batch, plan.rate(number)))
        if not isfinite(losses[-1]):
            raise diverged(number, plan)
        tokens += sum(map(len, batch))
        speed = tokens / (earlier + time.monotonic() - began)
        on_event(Step(step=number + 1, steps=len(batches), loss=losses[-1], tokens_per_second=speed))
    if state_to and is_first() and plan.stable == plan.steps:  # no extra steps, so the loop did not save it
        save_state(trainer.weights, state_to)
    seconds = earlier + time.monotonic() - began
    trained = model.merge_and_unload() if config.method == "lora" else model
    # No loss has been computed since the last step, which may have overflowed a weight.
    if not all(map(is_finite, trained.parameters())):
        raise diverged(number, plan)
    # Saved with the student, as the limit of its answers wherever it is used.
    trained.generation_config.max_new_tokens = ceil(ROOM * max(row.labelled for row in rows))
    if is_first():
        save_student(Student(trained, student.tokenizer, student.runtime), output)
    tail = losses[-max(1, len(losses) // 10) :]
    return FineTuned(
        steps=len(losses),
        loss=sum(tail) / len(tail),
        tokens=tokens,
        seconds=seconds,
        truncated=truncated,
    )


def diverged(step: int, plan: Schedule) -> RunFailedError:
    return RunFailedError(
        f"training diverged in step {step + 1} of {plan.steps}, at a learning rate of {plan.rate(step):g}: "
        "begin a new run with a lower --learning-rate; what models replied is in the cache and costs nothing "
        "again"
    )


def with_adapters(model: nn.Module, config: FineTuneConfig) -> Any:
    """Adds low-rank matrices to every linear layer but the output head; only they are trained."""
    from peft import get_peft_model

    # The optimizer has float32 copies, so the adapters can stay in the student's number format.
    return get_peft_model(model, lora(config), autocast_adapter_dtype=False)


def lora(config: FineTuneConfig) -> Any:
    from peft import LoraConfig

    return LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules="all-linear")


class Trainer:
    """Takes optimizer steps on one student."""

    def __init__(
        self, student: Student, model: Any, config: FineTuneConfig, on_event: OnEvent, *, beta2: float
    ) -> None:
        self.student, self.config, self.on_event = student, config, on_event
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        count = sum(p.numel() for p in trained.values())
        free, dtype = free_bytes(student.runtime), student.runtime.dtype
        on_gpu = student.runtime.device.type == "cuda"
        self.optimizer = Optimizer(trained, config, beta2, together=on_gpu)
        self.weights = self.optimizer.weights
        self.replicas = replicas_of(student, count)
        set_tokens = config.micro_batch_tokens
        self.micro_batch_tokens = tokens_at_once(student.model.config, dtype, set_tokens, count, free)
        for replica in self.replicas:
            replica.network.train()

    def step(self, batch: Sequence[Row], rate: float) -> float:
        """Takes one step at this learning rate; returns the loss per labelled token, NaN if it diverged."""
        loss = self.accumulate_with_less_memory(batch)
        used = [weight.used for weight in self.weights]
        if not nn.utils.clip_grad_norm_(used, self.config.max_gradient_norm).isfinite():
            return nan
        self.optimizer.step(rate)
        return loss

    def accumulate_with_less_memory(self, batch: Sequence[Row]) -> float:
        """Computes the batch's gradients; out of memory, starts over with micro-batches half as large."""
        while True:
            try:
                return self.accumulate(batch)
            except RuntimeError as error:
                pieces = [piece for piece in micro_batches(batch, self.micro_batch_tokens) if len(piece) > 1]
                if not is_out_of_memory(error) or not pieces:
                    raise
            self.micro_batch_tokens = max(len(piece) * len(piece[-1]) for piece in pieces) // 2
            for replica in self.replicas:
                replica.network.zero_grad()
            free_memory(self.student.runtime)
            text = f"out of memory: going on with {self.micro_batch_tokens} tokens at once"
            self.on_event(Notice(text=text))

    def accumulate(self, batch: Sequence[Row]) -> float:
        """Adds all gradients of the batch to those of the first replica; returns the mean loss.

        The gradients are of this process's share, divided by the labelled tokens of the whole batch.
        """
        labelled = sum(row.labelled for row in batch)
        shares = split_evenly(share_of(batch), len(self.replicas))
        jobs = [
            partial(replica.accumulate, share, labelled, self.micro_batch_tokens)
            for replica, share in zip(self.replicas, shares, strict=False)
        ]
        loss = sum(at_once(jobs)) / labelled if jobs else 0.0
        first, *others = (replica.parameters() for replica in self.replicas)
        for other in others:
            for mine, theirs in zip(first, other, strict=True):
                if theirs.grad is not None:
                    mine.grad = theirs.grad if mine.grad is None else mine.grad.add_(theirs.grad)
                    theirs.grad = None
        return add_up(loss, first)
