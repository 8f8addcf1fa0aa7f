"""How many steps a training makes, and its learning rate in each of them.

Every training but the last first keeps the highest rate, and its state is saved for the next training. Then
it makes some extra steps in which the rate falls: they improve the student, but the next training does not
continue from them (warm-up, stable, decay: Hu et al., arXiv 2404.06395). In the last training the rate falls
from the end of the warm-up on.
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
    """For a training of this many steps, extra steps not counted; one that `goes_on` needs no warm-up."""
    rise = 0 if goes_on else max(1, round(config.warmup_share * steps))
    if is_last:
        return Schedule(config.learning_rate, rise, stable=rise, steps=steps)
    return Schedule(config.learning_rate, rise, stable=steps, steps=steps + round(config.decay_share * steps))


def own_steps(steps: int, config: FineTuneConfig) -> int:
    """The steps before the rate fell, of a training that was not the last and made `steps` in all."""
    return round(steps / (1 + config.decay_share))
