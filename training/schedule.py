"""How fast a training learns in each of its steps (warm-up, stable, decay: Hu et al., arXiv 2404.06395)."""

from __future__ import annotations

from training.config import FineTuneConfig


def rate_at(step: int, steps: int, config: FineTuneConfig, *, warm: bool = False) -> float:
    """Learning rate of step 0, 1, ...: a linear rise, the highest rate, a linear fall to just above zero.

    There is no rise where the optimizer is `warm`, because it goes on from the state of an earlier training.
    """
    rise = 0 if warm else warmup_steps(steps, config)
    fall = steps - stable_steps(steps, config, warm=warm)
    return config.learning_rate * min(1.0, (step + 1) / max(1, rise), (steps - step) / (fall + 1))


def warmup_steps(steps: int, config: FineTuneConfig) -> int:
    return max(1, round(config.warmup_share * steps))


def stable_steps(steps: int, config: FineTuneConfig, *, warm: bool = False) -> int:
    """How many of the steps come before the rate falls; a later training goes on from there."""
    rise = 0 if warm else warmup_steps(steps, config)
    return steps - round(config.decay_share * (steps - rise))
