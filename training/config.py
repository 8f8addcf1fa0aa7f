"""Settings of fine-tuning and generation; the only place where their defaults are set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from fdd.flags import Flag

Method = Literal["full", "lora"]
Start = Literal["base", "continue"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Backend = Literal["torch", "vllm"]
Refinement = Literal["none", "dpo", "distill", "grpo"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuneConfig:
    method: Annotated[Method, Flag("NAME", "full or lora")] = "full"
    """`lora` trains low-rank additions to the weights and merges them when saving."""
    start: Annotated[
        Start,
        Flag("NAME", "base: from the untaught student each round; continue: one training over all rounds"),
    ] = "continue"
    replay_share: Annotated[
        float, Field(ge=0, le=1), Flag("X", "with continue: share of the old examples that is taught again")
    ] = 1.0
    epochs: Annotated[PositiveInt, Flag("N", "passes over the training set")] = 1
    max_steps: Annotated[
        PositiveInt | None, Flag("N", "optimizer steps of a training, in place of --epochs")
    ] = None
    learning_rate: Annotated[PositiveFloat, Flag("X", "highest learning rate")] = 2e-4
    """Reached after the warm-up. In the last training the rate falls linearly from there to zero."""
    warmup_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The rate rises over this share of the first training's steps."""
    decay_share: NonNegativeFloat = 0.2
    """With `continue`: extra steps of every training but the last, as a share of its other steps. In them the
    rate falls to zero (see `training.schedule`)."""
    second_moment_half_life: PositiveInt = 26_000
    """Tokens after which a squared gradient counts half in AdamW's average. beta2 follows from it, so that it
    means the same at every batch size (Marek et al., arXiv 2507.07101)."""
    max_gradient_norm: PositiveFloat = 1.0
    batch_size: Annotated[PositiveInt, Flag("N", "examples to one optimizer step")] = 4
    micro_batch_tokens: PositiveInt = 1024
    """Tokens in one forward pass, padding included; raised if a CUDA GPU has the memory."""
    max_length: Annotated[PositiveInt, Flag("N", "tokens of prompt and rationale together")] = 768
    max_truncated_share: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Fine-tuning fails if more than this share of the examples is longer than `max_length`."""
    checkpoint_seconds: PositiveFloat = 300.0
    """Time between two checkpoints of a training, which is what a killed one loses at most."""
    lora_rank: PositiveInt = 32
    lora_alpha: PositiveInt = 64
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RefineConfig:
    """A second training of each round, after fine-tuning; see `training.refine`."""

    method: Annotated[
        Refinement,
        Flag(
            "NAME",
            "a second training after each fine-tuning: dpo, distill, grpo or none",
            name="--refine",
            group="second training",
        ),
    ] = "none"
    epochs: Annotated[
        PositiveInt, Flag("N", "passes over its problems or pairs of answers", name="--refine-epochs")
    ] = 1
    learning_rate: Annotated[
        PositiveFloat, Flag("X", "its highest learning rate", name="--refine-learning-rate")
    ] = 1e-5
    batch_size: Annotated[
        PositiveInt, Flag("N", "problems or pairs to one optimizer step", name="--refine-batch-size")
    ] = 4
    answers: Annotated[
        int, Field(ge=2), Flag("N", "with grpo: answers to each problem", name="--refine-answers")
    ] = 8
    preference: Annotated[
        PositiveFloat,
        Flag("X", "with dpo: how strongly the student is held to what it was before", name="--dpo-beta"),
    ] = 0.1
    sft_weight: Annotated[
        NonNegativeFloat,
        Flag(
            "X", "with dpo: weight of the loss of fine-tuning on the right answers", name="--dpo-sft-weight"
        ),
    ] = 1.0
    teacher: Annotated[
        str | None,
        Flag("ID", "with distill: the model to follow, with the student's tokenizer", name="--distill-from"),
    ] = None
    texts: Annotated[
        Literal["student", "rationales"],
        Flag("NAME", "with distill: texts on which the student follows the model", name="--distill-on"),
    ] = "student"
    divergence: Annotated[
        float,
        Field(ge=0, le=1),
        Flag("X", "with distill: 0 is the forward KL divergence, 1 the reverse one", name="--distill-beta"),
    ] = 1.0
    interpolation: Annotated[
        float,
        Field(ge=0, le=1),
        Flag(
            "X",
            "with distill: share of the model in a mixture with the student itself; rises to 1",
            name="--distill-interpolation",
        ),
    ] = 1.0
    """Below 1 it is that of TAID (Shing et al., arXiv 2501.16937), rising linearly."""
    seed: int = 0


ROWS = 64
"""Requests decoded together, unless the settings or the free memory of a CUDA GPU decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateConfig:
    max_new_tokens: Annotated[
        PositiveInt | None, Flag("N", "longest answer of the student (default: what it was taught decides)")
    ] = None
    """None allows twice the longest worked example if any are shown, else 5/4 of the longest rationale that
    the student was taught."""
    temperature: NonNegativeFloat = 0.0
    """0 decodes greedily."""
    backend: Annotated[
        Backend,
        Flag(
            "NAME",
            "library that writes answers: torch, or vllm (for GPUs; see docs/USAGE.md)",
            name="--backend",
        ),
    ] = "torch"
    batch_size: Annotated[
        PositiveInt | None,
        Flag(
            "N",
            f"most questions answered together (default: {ROWS}, or what a CUDA GPU holds)",
            name="--generate-batch-size",
        ),
    ] = None
    seed: int = 0
