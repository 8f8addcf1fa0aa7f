"""Settings of fine-tuning and generation; every default lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

Method = Literal["full", "lora"]
Start = Literal["base", "continue"]
Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuneConfig:
    """How one round of fine-tuning is done."""

    method: Method = "full"
    """`full` changes every weight; `lora` trains low-rank additions and merges them when saving."""
    start: Start = "continue"
    """`base` trains the untaught student on the whole set each round. `continue` makes one training of all
    rounds: each goes on with the weights and the optimizer's state of the one before."""
    replay_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """With `continue`: share of the examples of earlier rounds that is taught again beside the new ones."""
    epochs: PositiveInt = 1
    max_steps: PositiveInt | None = None
    """Optimizer steps, over as many epochs as they take; where it is None, `epochs` decides."""
    learning_rate: PositiveFloat = 2e-4
    """Highest rate, reached after the warm-up. In the last training it falls linearly from there to zero."""
    warmup_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the steps of the first training over which the rate rises."""
    decay_share: NonNegativeFloat = 0.2
    """With `continue`: extra steps of every training but the last, as a share of its other steps. The rate
    falls to zero in them, and the next training continues from before them (see `training.schedule`)."""
    second_moment_half_life: PositiveInt = 26_000
    """Tokens after which AdamW has half forgotten a squared gradient. Its beta2 follows from it, so that it
    means the same at every batch size (Marek et al., arXiv 2507.07101)."""
    weight_decay: NonNegativeFloat = 0.0
    max_gradient_norm: PositiveFloat = 1.0
    batch_size: PositiveInt = 4
    """Examples to one optimizer step."""
    micro_batch_tokens: PositiveInt = 1024
    """Tokens, padding included, that go through the model at once; more where a GPU has the memory."""
    max_length: PositiveInt = 768
    """Tokens of prompt and rationale together; longer examples are left out."""
    max_truncated_share: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Fine-tuning refuses when more than this share of the examples is longer than `max_length`."""
    lora_rank: PositiveInt = 32
    lora_alpha: PositiveInt = 64
    seed: int = 0


ROWS = 64
"""Requests decoded together where neither the settings nor the free memory of a GPU say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateConfig:
    """How a student answers."""

    max_new_tokens: PositiveInt | None = None
    """Longest answer; where it is None, a little more than the student was taught or shown."""
    temperature: NonNegativeFloat = 0.0
    """0 is greedy."""
    batch_size: PositiveInt | None = None
    """Most requests decoded together; None for `ROWS`, or for what the free memory of a CUDA GPU holds."""
    seed: int = 0
