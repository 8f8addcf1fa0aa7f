"""Controls: a run with another policy, to show what a part of the feedback adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from fdd.errors import UsageError, command_line
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.storage.store import Store
from fdd.training.schedule import own_steps

ORACLE = 16
"""Probes that tell nearly exactly how much of a skill a student solves."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a student was taught."""

    problems: int
    steps: int
    """Optimizer steps from the untaught student to this one."""


@dataclass(frozen=True, slots=True)
class Control:
    """A run that lacks one part of the feedback: what it is, and the settings in which it differs."""

    what: str
    settings: Mapping[str, object]


KINDS: Mapping[str, Control] = {
    "uniform": Control(
        "no feedback: as many similar problems for every skill",
        {"allocation": "uniform", "operators": "similar"},
    ),
    "similar": Control("the same division over skills, similar problems only", {"operators": "similar"}),
    "harder": Control("the same division over skills, harder problems only", {"operators": "harder"}),
    "shuffled": Control("each skill gets what another one should have got", {"operators": "shuffled"}),
    "repeat": Control("nothing is written: the seeds are taught again", {"adds": "repeat"}),
    "seeds": Control("fresh seeds in place of written problems: a ceiling", {"adds": "seeds"}),
    "oracle": Control(
        f"every skill is probed {ORACLE} times a round: a ceiling",
        {"allocation": "oracle", "siblings": ORACLE},
    ),
}


def control_of(folder: Path, kind: str) -> Settings:
    """Returns the settings of a control for the run in this folder: the same run with another policy.

    Both have the same seeds, budget, steps and evaluation sets. For a run with `--allocation each`, the
    budget is the mean number of children of its rounds. Raises `UsageError` if it has written none.
    """
    store = open_store(folder)
    settings = Settings.from_json(store.run().settings)
    if settings.allocation == "each" and kind != "shuffled":
        children = len(store.problems(splits=["generated"]))
        if not children:
            raise UsageError(
                f"the run in {str(folder)!r} has written no problem, so there is no budget for a control: go "
                f"on with it first, `{command_line('resume', folder)}`"
            )
        settings = replace(settings, allocation="uniform", budget=ceil(children / settings.rounds))
    return replace(settings, **KINDS[kind].settings)  # type: ignore[arg-type]


def budget_of(store: Store, round: int) -> Budget:
    """Adds up the problems and optimizer steps that went into the student of a round."""
    config = Settings.from_json(store.run().settings).fine_tune
    last = next(record for record in store.rounds() if record.round == round)
    steps = last.steps
    if config.start == "continue":
        steps += sum(own_steps(each.steps, config) for each in store.kept() if each.round < round)
    return Budget(last.problems, steps)
