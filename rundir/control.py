"""Controls: the same run with another policy, to show what a part of the feedback adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fdd.errors import UsageError, command_line
from fdd.problems.config import SPARE
from fdd.rundir.delivery import delivered
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.storage.store import Store
from fdd.storage.tracing import is_finished
from fdd.training.schedule import own_steps

EACH = ("seeds", "repeat", "shuffled")
"""Kinds of control for a run with `--allocation each`."""
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
    """What a kind of control is, and the settings in which it differs from its run."""

    what: str
    settings: Mapping[str, object]


KINDS: Mapping[str, Control] = {
    "uniform": Control(
        "no feedback: as many similar problems for every skill",
        {"allocation": "uniform", "operators": "similar"},
    ),
    "balanced": Control(
        "no feedback: similar problems for the skills with the fewest examples",
        {"allocation": "balanced", "operators": "similar"},
    ),
    "similar": Control("the same division over skills, similar problems only", {"operators": "similar"}),
    "harder": Control("the same division over skills, harder problems only", {"operators": "harder"}),
    "shuffled": Control(
        "the same shares and operators, given to skills or problems at random", {"operators": "shuffled"}
    ),
    "repeat": Control("nothing is written: the seeds are taught again", {"adds": "repeat"}),
    "seeds": Control("fresh seeds in place of written problems: a ceiling", {"adds": "seeds"}),
    "oracle": Control(
        f"every skill is probed {ORACLE} times a round: a ceiling",
        {"allocation": "oracle", "siblings": ORACLE},
    ),
}


def control_of(folder: Path, kind: str) -> Settings:
    """Returns the settings of a control for the run in this folder. Both have the same evaluation sets.

    A run that divides a budget over skills is repeated with another policy, on the same seeds, budget and
    steps. For a run with `--allocation each`, `seeds` and `repeat` teach as many problems, or the same seeds,
    in as many steps at once. Raises `UsageError` for another kind there, and unless that run is finished and
    has delivered a student that was taught by feedback.
    """
    store = open_store(folder)
    settings = Settings.from_json(store.run().settings)
    if settings.allocation != "each":
        return replace(settings, **KINDS[kind].settings)  # type: ignore[arg-type]
    if kind not in EACH:
        raise UsageError(
            f"--kind {kind} divides a budget over skills, and the run in {str(folder)!r} has none: give one "
            f"of {', '.join(EACH)}, or begin a run with `--recipe skills`"
        )
    if not store.read(is_finished):
        raise UsageError(
            f"the run in {str(folder)!r} has not ended: go on with it first, "
            f"`{command_line('resume', folder)}`"
        )
    made = delivered(store)
    if made is None or made.round == 0:
        raise UsageError(
            f"the run in {str(folder)!r} delivers no student that feedback has taught: there is nothing to "
            "hold a control against"
        )
    if kind == "shuffled":
        return replace(settings, operators="shuffled")
    budget = budget_of(store, made.round)
    # Round 0 is the only one, so `max_steps` must cover all optimizer steps of the original run.
    once = replace(settings.fine_tune, start="base", max_steps=budget.steps)
    settings = replace(settings, rounds=0, initial_share=None, fine_tune=once)
    if kind == "seeds":
        drawn = replace(settings.problems, limit=SPARE * budget.problems)
        return replace(settings, problems=drawn, taught=budget.problems)
    lessons = store.training_set(round=made.round)
    return replace(settings, taught=len({x.problem.id for x in lessons if x.problem.parent is None}))


def budget_of(store: Store, round: int) -> Budget:
    """Adds up the problems and optimizer steps that went into the student of a round."""
    config = Settings.from_json(store.run().settings).fine_tune
    last = next(record for record in store.rounds() if record.round == round)
    steps = last.steps
    if config.start == "continue":
        steps += sum(own_steps(each.steps, config) for each in store.kept() if each.round < round)
    return Budget(last.problems, steps)
