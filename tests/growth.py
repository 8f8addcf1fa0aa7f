"""Tests how time grows with the size of the work, which does not depend on the speed of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 10
SHORT = 0.02
"""Seconds; shorter times are measured too coarsely to be compared."""


def is_linear(work: Callable[[int], object], size: int) -> bool:
    """Whether `size` takes less than eight times as long as a quarter of it.

    Linear work takes four times as long, quadratic work sixteen times; eight is between them. A busy machine
    can only add to the time, so the best of several tries counts.
    """
    quarter = min(_seconds(work, size // 4) for _ in range(3))
    return any(_seconds(work, size) < 8 * max(quarter, SHORT) for _ in range(TRIES))


def _seconds(work: Callable[[int], object], size: int) -> float:
    """Returns the processor time of the work in seconds."""
    began = time.process_time()
    work(size)
    return time.process_time() - began
