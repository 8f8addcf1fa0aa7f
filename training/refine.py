"""Trains a student further after its fine-tuning, with the trainers of TRL.

- `dpo`: right answers of the student are to become likelier than its wrong ones to the same questions
  (Rafailov et al., arXiv 2305.18290). The loss of fine-tuning on the right ones is added.
- `distill`: the student's next token is to be distributed like that of a larger model, in the student's own
  answers or in the rationales that it was taught (Agarwal et al., arXiv 2306.13649).
- `grpo`: of several answers to one question, those that the verifier accepts are to become likelier (Shao et
  al., arXiv 2402.03300).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import cycle, islice
from math import ceil, isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, PrinterCallback, TrainerCallback

from fdd.errors import RunFailedError, StudentError, UsageError
from fdd.training.config import RefineConfig
from fdd.training.device import choose_runtime
from fdd.training.fine_tune import lora
from fdd.training.prompts import prompt_ids, rationale_ids
from fdd.training.student import LOCAL, Student, is_finite, load_student, load_tokenizer, save_student
from fdd.training.tasks import OnEvent, RefineCheckTask, Refined, RefineStep, RefineTask

try:
    from datasets import Dataset
    from trl import DistillationConfig, DistillationTrainer, DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer
except ModuleNotFoundError as error:
    raise UsageError(
        f"--refine needs the package {error.name!r}: pip install 'feedback-driven-distillation[methods]'"
    ) from None

MAX_GRADIENT_NORM = 1.0


def check(task: RefineCheckTask, _: object) -> None:
    if task.teacher is None:
        return
    student, teacher = load_tokenizer(task.student), load_tokenizer(task.teacher)
    sizes = [AutoConfig.from_pretrained(each, **LOCAL).vocab_size for each in (task.student, task.teacher)]
    if student.get_vocab() != teacher.get_vocab() or sizes[0] != sizes[1]:
        raise StudentError(
            f"--distill-from: the model in {str(task.teacher)!r} has another tokenizer than the student "
            f"({sizes[1]} and {sizes[0]} tokens): give one of the same family, such as qwen2.5-coder-1.5b "
            "for qwen2.5-coder-0.5b"
        )


def perform(task: RefineTask, on_event: OnEvent) -> Refined:
    """Does what `RefineTask` says; `RunFailedError` if training diverges."""
    began, runtime = time.monotonic(), choose_runtime(task.device)
    # Small steps would be lost in bfloat16. Where the device has it, it is used for computing.
    student = load_student(task.student, replace(runtime, dtype=torch.float32))
    longest = student.model.generation_config.max_new_tokens
    watch = Watch(on_event, task.fine_tune.checkpoint_seconds)
    common = {
        "output_dir": str(task.checkpoints),
        "num_train_epochs": 1,  # the data set has each pass one after another
        "learning_rate": task.config.learning_rate,
        "lr_scheduler_type": "linear",
        "max_grad_norm": MAX_GRADIENT_NORM,
        "per_device_train_batch_size": task.config.batch_size,
        "seed": task.config.seed,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",  # `Watch` decides when
        "save_total_limit": 1,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": runtime.device.type == "cpu",
        "bf16": runtime.dtype == torch.bfloat16,
        "gradient_checkpointing": runtime.device.type == "cuda",
    }
    with writing(task.checkpoints), MAKERS[task.config.method](student, task, common) as trainer:
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(watch)
        trainer.train(resume_from_checkpoint=checkpoint_in(task.checkpoints))
        trained = trainer.model.merge_and_unload() if task.fine_tune.method == "lora" else trainer.model
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not all(map(isfinite, losses)) or not all(map(is_finite, trained.parameters())):
        raise RunFailedError(
            f"the second training diverged, at a learning rate of {task.config.learning_rate:g}: begin a new "
            "run with a lower --refine-learning-rate"
        )
    trained.generation_config.max_new_tokens = longest
    save_student(Student(trained.to(runtime.dtype), student.tokenizer, runtime), task.output)
    tail = losses[-max(1, len(losses) // 10) :]
    return Refined(steps=len(losses), loss=sum(tail) / len(tail), seconds=time.monotonic() - began)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns errors of libraries that cannot write a checkpoint into a `RunFailedError`."""
    try:
        yield
    except Exception as error:
        # Torch reports such errors without a type of their own.
        if not isinstance(error, OSError | SafetensorError) and "PytorchStreamWriter" not in str(error):
            raise
        raise RunFailedError(
            f"cannot save a checkpoint into {str(folder)!r}: {error}; mend that, then `resume`"
        ) from None


def checkpoint_in(folder: Path) -> str | None:
    """Returns the latest complete checkpoint; its state is written last."""
    states = folder.glob("checkpoint-*/trainer_state.json")
    for state in sorted(states, key=lambda each: int(each.parent.name.rpartition("-")[2]), reverse=True):
        try:
            json.loads(state.read_bytes())
        except ValueError:
            continue
        return str(state.parent)
    return None


class Watch(TrainerCallback):
    """Reports each step, and asks for a checkpoint now and then."""

    def __init__(self, on_event: OnEvent, seconds: float) -> None:
        self.on_event, self.seconds = on_event, seconds
        self.kept = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        # So that a training which goes on from a checkpoint draws the same answers.
        torch.manual_seed(args.seed + state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if "loss" in (logs := kwargs["logs"]):
            step, steps = state.global_step, state.max_steps
            told = RefineStep(step=step, steps=steps, loss=logs["loss"], reward=logs.get("reward"))
            self.on_event(told)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if time.monotonic() - self.kept >= self.seconds:
            self.kept, control.should_save = time.monotonic(), True


def adapters(task: RefineTask) -> Any:
    """Returns the same adapters as in fine-tuning; None trains every weight."""
    if task.fine_tune.method == "full":
        return None
    return lora(task.fine_tune)


def order(size: int, config: RefineConfig) -> list[int]:
    """Returns the numbers below `size` in the order in which they are trained on, in whole batches."""
    rng = random.Random(config.seed)
    passes = [number for _ in range(config.epochs) for number in rng.sample(range(size), size)]
    batches = ceil(len(passes) / config.batch_size)
    return list(islice(cycle(passes), batches * config.batch_size))


# -- dpo -----------------------------------------------------------------------------------------------------


class Preferences(DPOTrainer):  # type: ignore[misc]
    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset  # it has token ids, from the same functions as all other prompts


@contextmanager
def dpo(student: Student, task: RefineTask, common: dict[str, Any]) -> Iterator[DPOTrainer]:
    tokenizer, config = student.tokenizer, task.config
    rows = [
        {
            "prompt_ids": prompt_ids(tokenizer, pair.question, pair.cue),
            "chosen_ids": rationale_ids(tokenizer, pair.right),
            "rejected_ids": rationale_ids(tokenizer, pair.wrong),
        }
        for pair in task.pairs
    ]
    losses = {"sigmoid": 1.0, "sft": config.sft_weight}
    used = {name: weight for name, weight in losses.items() if weight}
    arguments = DPOConfig(
        **common,
        beta=config.preference,
        loss_type=list(used),
        loss_weights=list(used.values()),
        max_length=None,
        precompute_ref_log_probs=True,  # so that no second copy of the student stays in memory
    )
    yield Preferences(
        student.model,
        args=arguments,
        train_dataset=Dataset.from_list([rows[number] for number in order(len(rows), config)]),
        processing_class=tokenizer,
        peft_config=adapters(task),
    )


# -- distill and grpo, in which the student answers while it is trained --------------------------------------


class Prompts:
    """Makes a trainer's prompts as those of all other answers. Its data set has their numbers, as texts."""

    ids: Sequence[list[int]]
    asked: Sequence[int] = ()
    """Numbers of the prompts that are answered next."""

    def _tokenize_prompts(self, prompts: Sequence[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        self.asked = [int(prompt) for prompt in prompts]
        return [self.ids[number] for number in self.asked], None, {}


class Following(Prompts, DistillationTrainer):  # type: ignore[misc]
    texts: Sequence[list[int]] = ()
    """The texts on which the student follows the teacher; empty if the student writes them."""

    def _generate_single_turn(self, *arguments: Any, **named: Any) -> Any:
        if not self.texts:
            return super()._generate_single_turn(*arguments, **named)
        return [self.texts[number] for number in self.asked]


class Between(nn.Module):
    """A teacher whose logits are mixed with those of the student itself, as if both were one network.

    The states of both networks stand side by side before an output layer that has the weights of both.
    """

    def __init__(self, student: Any, teacher: Any, share: Callable[[], float]) -> None:
        """`share` returns the weight of the teacher's logits, from 0 to 1."""
        super().__init__()
        self.teacher, self.share, self.config = teacher, share, teacher.config
        self.student = (student,)  # in a tuple, so that it is no part of this network

    @property
    def base_model(self) -> Between:
        return self

    def forward(self, **inputs: Any) -> SimpleNamespace:
        share, (student,) = self.share(), self.student
        own, other = (each.base_model(**inputs).last_hidden_state for each in (student, self.teacher))
        return SimpleNamespace(last_hidden_state=torch.cat([(1 - share) * own, share * other], dim=-1))

    def get_output_embeddings(self) -> SimpleNamespace:
        heads = [each.get_output_embeddings().weight.detach() for each in (*self.student, self.teacher)]
        return SimpleNamespace(weight=torch.cat(heads, dim=1), bias=None)


@contextmanager
def distill(student: Student, task: RefineTask, common: dict[str, Any]) -> Iterator[DistillationTrainer]:
    assert task.teacher is not None
    start: float = task.config.interpolation

    def share() -> float:
        done: float = trainer.state.global_step / max(1, trainer.state.max_steps - 1)
        return start + (1 - start) * done

    teacher = load_student(task.teacher, student.runtime).model
    prompts = [prompt_ids(student.tokenizer, each.question, each.cue) for each in task.examples]
    trainer = Following(
        student.model,
        Between(student.model, teacher, share) if start < 1 else teacher,
        args=DistillationConfig(
            **common,
            beta=task.config.divergence,
            max_completion_length=answer_tokens(student, prompts),
            shuffle_dataset=False,
        ),
        train_dataset=numbers(order(len(task.examples), task.config)),
        processing_class=student.tokenizer,
        peft_config=adapters(task),
    )
    trainer.ids = prompts
    if task.config.texts == "rationales":
        trainer.texts = [rationale_ids(student.tokenizer, each.rationale) for each in task.examples]
    yield trainer


class Rewarding(Prompts, GRPOTrainer):  # type: ignore[misc]
    pass


@contextmanager
def grpo(student: Student, task: RefineTask, common: dict[str, Any]) -> Iterator[GRPOTrainer]:
    module, _, name = task.judge.partition(":")
    answers = task.config.answers
    prompts = [prompt_ids(student.tokenizer, each.problem.question, each.cue) for each in task.exercises]
    steps = {"per_device_train_batch_size": answers, "gradient_accumulation_steps": task.config.batch_size}
    arguments = GRPOConfig(
        **common | steps,
        num_generations=answers,
        max_completion_length=answer_tokens(student, prompts),
        beta=0.0,
        shuffle_dataset=False,
    )
    with getattr(import_module(module), name)() as verifier:

        def reward(
            prompts: Sequence[str], completions: Sequence[str], completion_ids: Sequence[list[int]], **_: Any
        ) -> list[float]:
            asked = [task.exercises[int(prompt)] for prompt in prompts]
            submissions = [
                (exercise.thought, text, exercise.problem, ids[-1] in student.stop_ids)
                for exercise, text, ids in zip(asked, completions, completion_ids, strict=True)
            ]
            return [float(verdict.accepted) for verdict in verifier.judge_rationales(submissions)]

        trainer = Rewarding(
            student.model,
            reward,
            args=arguments,
            train_dataset=numbers(order(len(task.exercises), task.config)),
            processing_class=student.tokenizer,
            peft_config=adapters(task),
        )
        trainer.ids = prompts
        yield trainer


def numbers(order: Sequence[int]) -> Dataset:
    return Dataset.from_list([{"prompt": str(number)} for number in order])


def answer_tokens(student: Student, prompts: Sequence[list[int]]) -> int:
    """Returns the longest answer that the student's fine-tuning and its positions allow."""
    longest = student.model.generation_config.max_new_tokens
    assert longest is not None  # fine-tuning sets it
    room = sys.maxsize if student.positions is None else student.positions - max(map(len, prompts))
    return min(int(longest), room)


MAKERS: Mapping[str, Callable[..., AbstractContextManager[Any]]] = {
    "dpo": dpo,
    "distill": distill,
    "grpo": grpo,
}
