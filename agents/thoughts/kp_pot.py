"""Key points, then a program of thought: the three parts of `kp_cot` with a program as the solution."""

from __future__ import annotations

from fdd.agents.thoughts import pot
from fdd.agents.thoughts.kp_cot import KeyPointThought

THOUGHT = KeyPointThought(
    pot.THOUGHT, cue="Name the core question and the facts, then write a Python program."
)
