"""How many steps a training makes, and its learning rate in each of them.

A training that a later one goes on from keeps to the highest rate, and its state is saved. Only then the rate
falls, in some more steps, which makes the student better but is no good point to go on from (warm-up, stable,
decay: Hu et al., arXiv 2404.06395). In the last training the rate falls from the end of its warm-up on.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.config import FineTuneConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate by step: a linear rise, the highest rate, a linear fall to just above zero."""

    highest: float
    rise: int
    """Steps until the highest rate is reached."""
    stable: int
    """Steps until the rate begins to fall."""
    steps: int

    def rate(self, step: int) -> float:
        """Of step 0, 1, ..."""
        fall = (self.steps - step) / (self.steps - self.stable + 1)
        return self.highest * min(1.0, (step + 1) / max(1, self.rise), fall)


def schedule(steps: int, config: FineTuneConfig, *, goes_on: bool, is_last: bool) -> Schedule:
    """For a training with so many steps of its own; one that `goes_on` from another is warm already."""
    rise = 0 if goes_on else max(1, round(config.warmup_share * steps))
    if is_last:
        return Schedule(config.learning_rate, rise, stable=rise, steps=steps)
    return Schedule(config.learning_rate, rise, stable=steps, steps=steps + round(config.decay_share * steps))


def own_steps(steps: int, config: FineTuneConfig) -> int:
    """Of all steps of a training that is not the last those before the rate fell."""
    return round(steps / (1 + config.decay_share))
