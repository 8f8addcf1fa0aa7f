"""A study: the same run with several policies and seeds. Its plan is a TOML file, with result rows beside it.

    question = "Does it matter who gets the problems?"
    endpoint = "in-domain"
    default = "weak"
    seeds = [101, 102, 103]

    [settings]                      # of every arm
    rounds = 2
    "problems.limit" = 130

    [arms]
    weak = { allocation = "weak" }  # settings of one arm
    uniform = "uniform"             # or a kind of control

    [pairs]                         # of arms that get fewer students than there are seeds
    uniform = 2

Each finished student is a row of `NAME.jsonl`. What has a row is not run again, wherever the study goes on.
Arms of one seed that do the same until their students are first asked share that part.
"""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fdd.errors import RunFailedError, UsageError, brief
from fdd.problems.contamination import DEV
from fdd.rundir.answers import answers_of
from fdd.rundir.control import KINDS, budget_of
from fdd.rundir.delivery import delivered
from fdd.settings import Settings, flat, known_settings, load_settings
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.tracing import seconds_worked
from fdd.toml import read_toml
from fdd.training.tasks import DescribeTask
from fdd.training.worker import run_in_child

Results = dict[str, dict[str, tuple[int, int]]]
"""By evaluation set and template (empty for none): right answers, and problems asked."""


class Plan(BaseModel):
    """The content of a study's TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=1)
    endpoint: str = Field(min_length=1)
    """The evaluation set whose accuracy decides; `in-domain+harder` is the mean of both."""
    default: str
    """The arm that every other arm is compared with."""
    seeds: list[int] = Field(min_length=2)
    settings: dict[str, Any]
    arms: dict[Annotated[str, Field(pattern=r"^\w[\w-]*$")], str | dict[str, Any]] = Field(min_length=2)
    pairs: dict[str, Annotated[int, Field(ge=2)]] = {}
    """Number of students of an arm, taught on the first seeds; one for each seed if it is not named."""

    def planned(self, arm: str) -> int:
        return self.pairs.get(arm, len(self.seeds))


class Row(BaseModel):
    """A finished student of a study."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: str
    seed: int
    settings: dict[str, Any]
    """So that rows of a plan that was changed since are noticed. Settings that came later are not in it."""
    results: Results
    problems: int
    """Problems in the last training set."""
    steps: int
    tokens: int
    """Steps and tokens of all trainings."""
    seconds: float
    machine: str


LATER = {
    "recipe": "default",
    "samples": 1,
    "probe_temperature": 0.7,
    "operators": "profile",
    "overgenerate": 1.0,
    "select": "sometimes",
    "select_with": None,
    "show_attempts": "wrong",
    "explain_attempts": False,
    "probe_children": False,
    "grow_skills": False,
    "track": "none",
    "self_samples": 0,
    "self_samples_where": "missing",
    "self_right": None,
    "self_right_by": "problem",
    "allocation": "uniform",
    "adds": "written",
}
"""Settings that have no effect before the student of round 0 is evaluated, with the values that a shared
beginning has for them."""
NEEDED = ("samples", "overgenerate", "allocation", "self_samples", "self_samples_where", "self_right")
"""Those of them that keep their own values where other settings would be refused without these."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One student that a study needs."""

    arm: str
    seed: int
    settings: Settings

    @property
    def beginning(self) -> Settings:
        """Settings of a run that does the same as the cell's until the first probe.

        Arms of one seed share that part if these settings are equal.
        """
        own: set[str] = set()
        if self.settings.refine.method in ("dpo", "grpo") or self.settings.initial_share == 1:
            own |= set(NEEDED)
        if self.settings.allocation == "each":  # keeps seeds back
            own.add("allocation")
        if self.settings.adds == "seeds":  # so does this
            own.add("adds")
        same: dict[str, Any] = {name: value for name, value in LATER.items() if name not in own}
        return replace(self.settings, **same)

    def fork(self, beginning: Path, run: Path) -> None:
        """Makes the folder of this cell's run, which goes on from a run with the settings of `beginning`."""
        draft = run.with_name(f".{run.name}.new")
        if draft.exists():  # left by a process that was killed
            shutil.rmtree(draft)
        draft.mkdir()
        for each in beginning.iterdir():  # without the checkpoint: the run finds its way by the database
            if each.is_dir() and not each.is_symlink():
                shutil.copytree(each, draft / each.name, symlinks=True)
        shutil.copy(beginning / DATABASE, draft)
        store = open_store(draft)
        record = store.run()
        later = {name: getattr(self.settings, name) for name in LATER}
        settings = replace(Settings.from_json(record.settings), **later)
        store.become(replace(record, id=f"run-{uuid.uuid4().hex[:12]}", settings=settings.to_store()))
        draft.rename(run)

    def fits(self, row: Row) -> bool:
        """Returns True if the row has the settings of this cell, as far as there were settings then."""
        return row.settings.items() <= dict(flat(self.settings.to_store())).items()


@dataclass(frozen=True, kw_only=True)
class Study:
    """A plan with the rows that are finished."""

    file: Path
    plan: Plan
    cells: tuple[Cell, ...]
    """In the order in which they are run: all arms of a seed before the next seed, so that pairs complete."""

    @property
    def rows_file(self) -> Path:
        return self.file.with_suffix(".jsonl")

    def rows(self) -> list[Row]:
        """Reads the finished rows of the plan's cells.

        Raises `UsageError` for a row that is broken, repeated, or has other settings than the plan.
        """
        if not self.rows_file.exists():
            return []
        cells = {(cell.arm, cell.seed): cell for cell in self.cells}
        found: dict[tuple[str, int], Row] = {}
        for number, line in enumerate(self.rows_file.read_text("utf-8").splitlines(), start=1):
            where = f"{str(self.rows_file)!r}, line {number}"
            try:
                row = Row.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors()[0]["msg"]
                raise UsageError(f"{where}: {fault}; remove the line, then run again") from None
            key = row.arm, row.seed
            if key in cells and not cells[key].fits(row):
                raise UsageError(
                    f"{where} has other settings than the plan for arm {row.arm!r}, seed {row.seed}: restore "
                    "the plan, or give the changed study another name"
                )
            if key in found:
                raise UsageError(f"{where} repeats arm {row.arm!r}, seed {row.seed}: remove one of them")
            if key in cells:
                found[key] = row
        return list(found.values())

    def pending(self) -> list[Cell]:
        done = {(row.arm, row.seed) for row in self.rows()}
        return [cell for cell in self.cells if (cell.arm, cell.seed) not in done]

    def add(self, row: Row) -> None:
        """Appends a row in one write, so that a killed process leaves a whole line or none."""
        with self.rows_file.open("a", encoding="utf-8") as file:
            file.write(f"{row.model_dump_json()}\n")


def read_study(file: Path) -> Study:
    """Reads a plan. Raises `UsageError` for a file that is missing, no TOML, or no plan."""
    try:
        plan = Plan.model_validate(read_toml(file, "the study"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"the study {str(file)!r}: {where} {brief(first['input'])}: {first['msg']}"
        ) from None
    if plan.default not in plan.arms:
        known = ", ".join(plan.arms)
        raise UsageError(f"the study {str(file)!r}: default {plan.default!r} is none of its arms {known}")
    for arm, pairs in plan.pairs.items():
        if arm not in plan.arms or arm == plan.default or pairs > len(plan.seeds):
            raise UsageError(
                f"the study {str(file)!r}: pairs.{arm} {pairs}: name another arm than the default, and give "
                f"at most {len(plan.seeds)}, the number of seeds"
            )
    if len(set(plan.seeds)) < len(plan.seeds):
        raise UsageError(f"the study {str(file)!r}: a seed is named twice; each gives one student an arm")
    return Study(file=file, plan=plan, cells=tuple(_cells(file, plan)))


def _cells(file: Path, plan: Plan) -> Iterator[Cell]:
    for number, seed in enumerate(plan.seeds):
        for arm, changes in plan.arms.items():
            if number >= plan.planned(arm):
                continue
            if isinstance(changes, str) and changes not in KINDS:
                raise UsageError(
                    f"the study {str(file)!r}: arm {arm!r} is {changes!r}; give settings, or one of the "
                    f"controls {', '.join(KINDS)}"
                )
            of_arm = KINDS[changes].settings if isinstance(changes, str) else changes
            given = dict(flat(plan.settings)) | dict(flat(of_arm)) | {"seed": seed}
            known = dict(known_settings(given, f"the study {str(file)!r}"))
            settings = load_settings(known, environment={})
            if None in (settings.problems.limit, settings.problems.dev_size):
                raise UsageError(
                    f"the study {str(file)!r}: give problems.limit and problems.dev_size, or the machine's "
                    "speed would decide what an arm is taught"
                )
            yield Cell(arm=arm, seed=seed, settings=settings)


def row_of(cell: Cell, folder: Path) -> Row:
    """Reads the row of a finished run. Raises `RunFailedError` if every round of it was undone."""
    store = open_store(folder)
    record = delivered(store)
    if record is None:
        raise RunFailedError(f"the run in {str(folder)!r} delivers no student: every round was undone")
    names = sorted({each.name for each in store.evaluations(round=record.round)} - {DEV})
    results: Results = {}
    for name, answers in answers_of(record.round, cell.settings, store, names).items():
        counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for answer in answers.values():
            counts[answer.problem.template][0] += answer.right
            counts[answer.problem.template][1] += 1
        results[name] = {template: (right, n) for template, (right, n) in sorted(counts.items())}
    return Row(
        arm=cell.arm,
        seed=cell.seed,
        settings=dict(flat(cell.settings.to_store())),
        results=results,
        problems=record.problems,
        steps=budget_of(store, record.round).steps,
        tokens=sum(each.tokens for each in store.rounds()),
        seconds=round(store.read(seconds_worked), 1),
        machine=str(run_in_child(DescribeTask(device=cell.settings.device), lambda _: None)),
    )
