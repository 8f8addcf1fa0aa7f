"""Questions without common words, so that none is a copy of another."""

from __future__ import annotations

import random


def made_up(number: int) -> str:
    """Returns twelve invented words, the same for the same number."""
    rng = random.Random(number)
    return " ".join(
        "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in "abc") for _ in range(12)
    )
