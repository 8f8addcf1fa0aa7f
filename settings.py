"""A run's settings, typed; and where they come from: defaults, a TOML file, the environment, the command line.

Each later source overrides the earlier ones. This is the only place that reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from errors import UsageError
from problems.config import ProblemSettings
from training.config import Device, FineTuneConfig, GenerateConfig

ENVIRONMENT_PREFIX = "FDD_"
DEVICE_SEEDS = {"cpu": 240, "mps": 480, "cuda": 2000}
"""How many seed problems a run takes where nobody says: what each device teaches in some minutes."""


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Settings:
    """Everything that decides what a run does. Stored with the run; `resume` reads it from there."""

    rounds: int
    """Rounds of feedback after the first round of teaching; at least 1."""
    seed: int = 0
    student: str = "smollm2-135m"
    """An embedded student, `tiny`, a folder, or a hub's ORG/NAME."""
    teacher: Literal["symbolic"] = "symbolic"
    thoughts: tuple[str, ...] = ("pot",)
    """Formats the student is taught; it answers in the first."""
    samples: int = 1
    """Answers to each probed problem; 1 is greedy, more are drawn at `probe_temperature`."""
    probe_temperature: float = 0.7
    reprobe: bool = False
    """Probe the problems already trained on as well, as the paper does."""
    initial_share: float | None = None
    """Share of the seeds in the first training set; an equal share for every round where not set."""
    shots: int = 4
    """Worked examples shown to the untaught student."""
    workers: int = 2
    """Lessons given at a time, and sandbox processes."""
    device: Device = "auto"
    problems: ProblemSettings = field(default_factory=ProblemSettings)
    fine_tune: FineTuneConfig = field(default_factory=FineTuneConfig)
    generate: GenerateConfig = field(default_factory=GenerateConfig)
