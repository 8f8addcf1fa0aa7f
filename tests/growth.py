"""How the time that work takes grows with its size: the same on a fast machine and on a slow one."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 10
SHORT = 0.02
"""Seconds; what takes less is measured too coarsely to be compared."""


def is_linear(work: Callable[[int], object], size: int) -> bool:
    """Whether this size takes about four times as long as a quarter of it; sixteen times would be quadratic.

    The bound lies in the middle. A busy machine only ever adds to the time, so the best try counts.
    """
    quarter = min(_seconds(work, size // 4) for _ in range(3))
    return any(_seconds(work, size) < 8 * max(quarter, SHORT) for _ in range(TRIES))


def _seconds(work: Callable[[int], object], size: int) -> float:
    """Processor time."""
    began = time.process_time()
    work(size)
    return time.process_time() - began
