"""Controls: runs that teach as much as another run but leave one part out, to show what that part adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fdd.errors import UsageError, command_line
from fdd.graph.nodes.report import delivered
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.storage.store import Store
from fdd.storage.tracing import is_finished
from fdd.training.schedule import own_steps

Kind = Literal["seeds", "repeat", "shuffled"]
"""`seeds`: seeds replace the children. `repeat`: the same seeds are taught again. `shuffled`: chance, not the
band, decides which parent gets which operator.
"""
SPARE = 2
"""Seeds drawn for each seed to be taught, because the teacher cannot explain every seed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a student was taught."""

    problems: int
    steps: int
    """Optimizer steps from the untaught student to this one."""


def control_of(folder: Path, kind: Kind) -> Settings:
    """Returns the settings of a control for the run in this folder. Both have the same evaluation sets.

    Raises `UsageError` unless the run is finished and has delivered a student that was taught by feedback.
    """
    store = open_store(folder)
    settings = Settings.from_json(store.run().settings)
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
    return replace(settings, taught=_seeds(store, made.round))


def budget_of(store: Store, round: int) -> Budget:
    """Adds up the problems and optimizer steps that went into the student of a round."""
    config = Settings.from_json(store.run().settings).fine_tune
    last = next(record for record in store.rounds() if record.round == round)
    steps = last.steps
    if config.start == "continue":
        steps += sum(own_steps(each.steps, config) for each in store.kept() if each.round < round)
    return Budget(last.problems, steps)


def _seeds(store: Store, round: int) -> int:
    """Counts the seeds among the problems that a round's student was taught."""
    return len({x.problem.id for x in store.training_set(round=round) if x.problem.parent is None})
