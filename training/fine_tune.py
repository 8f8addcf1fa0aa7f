"""Fine-tunes a student on rationales: a plain loop, with the loss on the student's own words only."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, count, islice
from math import ceil, isfinite, nan
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from errors import RunFailedError, WorkerError
from training.attention import is_plain
from training.child import ADVICE
from training.config import FineTuneConfig
from training.data import IGNORED, Row, deal, encode, epoch_batches, micro_batches, to_tensors
from training.memory import free_bytes, free_memory, is_out_of_memory, no_room, tokens_at_once
from training.optimizer import load_state, new_weight, save_state
from training.parallel import at_once, threads_for
from training.preflight import fitting_rows
from training.schedule import Schedule, schedule
from training.student import Student, is_finite, save_student
from training.tasks import Event, Example, FineTuned, Notice, Step

ROOM = 5 / 4
"""Longest answer of the student, as a share of the longest rationale that it is taught."""
HEAD_ROWS = 128
"""Positions for which odds over the whole vocabulary are held at once."""
MOST_REPLICATED = 300_000_000
"""Trained weights of a student that is trained in several threads, each with gradients of its own."""


def fine_tune(
    student: Student,
    examples: Sequence[Example],
    output: Path,
    config: FineTuneConfig,
    on_event: Callable[[Event], None],
    *,
    state_from: Path | None = None,
    state_to: Path | None = None,
) -> FineTuned:
    """Train the student and save it in the folder `output`; `PreflightError` comes before any step.

    `state_from` is a file with the weights and the optimizer's state to continue from. `state_to` is the file
    for the next training to continue from; the last training has none.
    """
    encoded = [encode(student.tokenizer, example) for example in examples]
    positions = student.positions or config.max_length
    rows = fitting_rows(examples, encoded, student.tokenizer, config, positions)
    if truncated := len(encoded) - len(rows):
        set_length = f"--max-length {config.max_length}"
        limit = set_length if positions >= config.max_length else f"the student's {positions} positions"
        on_event(Notice(text=f"left out {truncated} of {len(encoded)} examples: longer than {limit}"))
    torch.manual_seed(config.seed)  # LoRA's first matrices are drawn from it
    model: Any = with_adapters(student.model, config) if config.method == "lora" else student.model
    steps = config.max_steps or config.epochs * ceil(len(rows) / config.batch_size)
    plan = schedule(steps, config, goes_on=state_from is not None, is_last=state_to is None)
    batches = list(islice(all_batches(rows, config), plan.steps))
    trainer = Trainer(student, model, config, on_event, beta2=beta2_of(batches, config))
    if state_from:
        load_state(trainer.weights, state_from)
    began = time.monotonic()
    losses, tokens = [], 0
    for number, batch in enumerate(batches):
        if state_to and number == plan.stable:
            save_state(trainer.weights, state_to)
        losses.append(trainer.step(batch, plan.rate(number)))
        if not isfinite(losses[-1]):
            raise diverged(number, plan)
        tokens += sum(map(len, batch))
        speed = tokens / (time.monotonic() - began)
        on_event(Step(step=number + 1, steps=len(batches), loss=losses[-1], tokens_per_second=speed))
    if state_to and plan.stable == plan.steps:
        save_state(trainer.weights, state_to)
    seconds = time.monotonic() - began
    trained = model.merge_and_unload() if config.method == "lora" else model
    if not all(map(is_finite, trained.parameters())):
        raise diverged(number, plan)
    trained.generation_config.max_new_tokens = ceil(ROOM * max(row.labelled for row in rows))
    save_student(Student(trained, student.tokenizer, student.runtime), output)
    tail = losses[-max(1, len(losses) // 10) :]
    return FineTuned(
        student=output,
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


def all_batches(rows: Sequence[Row], config: FineTuneConfig) -> Iterator[list[Row]]:
    """The batches of one epoch after another, without end."""
    rng = random.Random(config.seed)
    return chain.from_iterable(epoch_batches(rows, config.batch_size, rng) for _ in count())


def beta2_of(batches: Sequence[Sequence[Row]], config: FineTuneConfig) -> float:
    """AdamW's decay of the squared gradient a step; halved after `second_moment_half_life` tokens."""
    tokens = sum(len(row) for batch in batches for row in batch)
    return float(0.5 ** (tokens / len(batches) / config.second_moment_half_life))


def with_adapters(model: nn.Module, config: FineTuneConfig) -> Any:
    """The model with low-rank additions on every linear layer but the head; only they train."""
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules="all-linear")
    return get_peft_model(model, lora, autocast_adapter_dtype=False)


class Replica:
    """A network that computes gradients of its own, on weights that it shares with the other replicas."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.body, self.head = network.base_model, network.get_output_embeddings()

    def accumulate(self, rows: Sequence[Row], labelled: int, micro_batch_tokens: int) -> float:
        """Add the rows' share of the gradient of a batch with so many `labelled` tokens; the rows' losses."""
        return sum(self.backward(piece, labelled) for piece in micro_batches(rows, micro_batch_tokens))

    def backward(self, rows: Sequence[Row], labelled: int) -> float:
        ids, mask, labels = (tensor.to(self.network.device) for tensor in to_tensors(rows))
        places = labels[:, 1:] != IGNORED
        targets = labels[:, 1:][places]
        if not is_plain(self.network.config):
            logits = self.network(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1][places]
            loss = cross_entropy(logits.float(), targets, reduction="sum")
            torch.autograd.backward(loss / labelled)
            return loss.item()
        hidden = self.body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1][
            places
        ]
        return self.backward_through_head(hidden, targets, labelled)

    def backward_through_head(self, hidden: Tensor, targets: Tensor, labelled: int) -> float:
        """Odds over the vocabulary take the most memory by far: for labelled places only, a few at once."""
        leaf = hidden.detach().requires_grad_()
        total = 0.0
        for start in range(0, len(targets), HEAD_ROWS):
            logits = self.head(leaf[start : start + HEAD_ROWS]).float()
            loss = cross_entropy(logits, targets[start : start + HEAD_ROWS], reduction="sum")
            torch.autograd.backward(loss / labelled)
            total += loss.item()
        torch.autograd.backward(hidden, leaf.grad)
        return total

    def parameters(self) -> list[nn.Parameter]:
        return list(self.network.parameters())

    def another(self) -> Replica:
        shared = {id(p): nn.Parameter(p.detach(), p.requires_grad) for p in self.parameters()}
        return Replica(copy.deepcopy(self.network, shared))


def replicas_of(student: Student, trained: int) -> list[Replica]:
    """One for each thread, or a single one where threads do not pay.

    They do not pay in float32, whose products keep all cores busy, and for big students, whose gradients take
    more memory. Dropout would make results depend on which thread draws first.
    """
    first, runtime = Replica(student.model), student.runtime
    pays = runtime.dtype == torch.bfloat16 and trained <= MOST_REPLICATED and is_plain(student.model.config)
    return [first, *(first.another() for _ in range(1, threads_for(runtime) if pays else 1))]


class Trainer:
    """Makes optimizer steps on one student."""

    def __init__(
        self,
        student: Student,
        model: Any,
        config: FineTuneConfig,
        on_event: Callable[[Event], None],
        *,
        beta2: float,
    ) -> None:
        network: Any = student.model
        self.student, self.config, self.on_event = student, config, on_event
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        count = sum(p.numel() for p in trained.values())
        free, dtype = free_bytes(student.runtime), student.runtime.dtype
        if fault := no_room(count, dtype, free):
            raise WorkerError(fault)
        self.weights = [new_weight(name, p, config, beta2) for name, p in trained.items()]
        self.replicas = replicas_of(student, count)
        self.micro_batch_tokens = tokens_at_once(
            network.config, dtype, config.micro_batch_tokens, count, free
        )
        for replica in self.replicas:
            replica.network.train()

    def step(self, batch: Sequence[Row], rate: float) -> float:
        """One step on the batch; its mean loss over the labelled tokens, NaN where training diverged."""
        loss = self.accumulate_with_less_memory(batch)
        used = [weight.used for weight in self.weights]
        if not nn.utils.clip_grad_norm_(used, self.config.max_gradient_norm).isfinite():
            return nan
        try:
            for weight in self.weights:
                weight.step(rate)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            # No text is held in memory any more: smaller pieces would not help.
            raise WorkerError(f"out of memory for the optimizer's state: {ADVICE}") from None
        return loss

    def accumulate_with_less_memory(self, batch: Sequence[Row]) -> float:
        """Gradients of the batch; where memory runs out, again from its start in pieces half as big."""
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
            self.on_event(
                Notice(text=f"out of memory: going on with {self.micro_batch_tokens} tokens at once")
            )

    def accumulate(self, batch: Sequence[Row]) -> float:
        labelled = sum(row.labelled for row in batch)
        shares = deal(batch, len(self.replicas))
        jobs = [
            partial(replica.accumulate, share, labelled, self.micro_batch_tokens)
            for replica, share in zip(self.replicas, shares, strict=False)
        ]
        loss = sum(at_once(jobs)) / labelled
        first, *others = (replica.parameters() for replica in self.replicas)
        for other in others:
            for mine, theirs in zip(first, other, strict=True):
                if theirs.grad is not None:
                    mine.grad = theirs.grad if mine.grad is None else mine.grad.add_(theirs.grad)
                    theirs.grad = None
        return loss
