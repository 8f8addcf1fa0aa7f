"""The number of steps of a training, and the learning rate in each of them.

Every training but the last keeps the highest rate, and then its state is saved for the next training. Extra
steps, in which the rate falls, improve the student, but the next training does not continue from them
(warm-up, stable, decay: Hu et al., arXiv 2404.06395). In the last training the rate falls after the warm-up.
"""

from __future__ import annotations

from dataclasses import dataclass

from fdd.training.config import FineTuneConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning rate that rises linearly, stays at its highest, and falls linearly to just above zero."""

    highest: float
    rise: int
    """Steps until the highest rate is reached."""
    stable: int
    """Steps until the rate begins to fall."""
    steps: int

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        # With + 1, the first step of the fall is already below the highest rate.
        fall = (self.steps - step) / (self.steps - self.stable + 1)
        return self.highest * min(1.0, (step + 1) / max(1, self.rise), fall)


def schedule(steps: int, config: FineTuneConfig, *, goes_on: bool, is_last: bool) -> Schedule:
    """Returns the schedule of this many steps and, unless it `is_last`, extra ones.

    A training that `goes_on`, from the state of an earlier one, has no warm-up.
    """
    rise = 0 if goes_on else max(1, round(config.warmup_share * steps))
    if is_last:
        return Schedule(config.learning_rate, rise, stable=rise, steps=steps)
    return Schedule(config.learning_rate, rise, stable=steps, steps=steps + round(config.decay_share * steps))


def own_steps(steps: int, config: FineTuneConfig) -> int:
    """Returns how many of the `steps` of a training that was not the last came before the fall."""
    return round(steps / (1 + config.decay_share))
