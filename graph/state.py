"""State of the outer graph (`RunState`, checkpointed) and what it runs with (`RunContext`, never stored)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from fdd.agents.verifier import Verifier
from fdd.domain import Problem
from fdd.engines.engine import Engine
from fdd.graph.agents import RunAgents
from fdd.rundir.listener import Listener
from fdd.settings import Settings
from fdd.storage.store import Store


@dataclass(kw_only=True)
class RunState:
    """Progress of a run. It has counters and decisions only; the data are in the store."""

    run: str
    rounds: int
    """Number of rounds of feedback after the first round of teaching."""
    round: int = 0
    """The round whose training set is being made or whose student is being asked."""
    problems: int = 0
    """Problems in the training set, which all have an accepted rationale."""
    quarantined: int = 0
    """Problems of this round without an accepted rationale."""
    easy: int = 0
    hard: int = 0
    """Problems probed in this round, by band."""
    added: int = 0
    """Problems written for the next round."""
    removed: dict[str, int] = field(default_factory=dict)
    """Number of problems proposed for this round and rejected, by reason."""
    student: str = ""
    """Folder of the latest kept student, relative to the run folder; empty for the untaught one. Between
    `fine_tune` and `evaluate` it is the new student, which may still be undone.
    """


class RunUpdate(TypedDict, total=False):
    """Fields that a node may change. LangGraph ignores unknown keys, but the type checker reports them."""

    round: int
    problems: int
    quarantined: int
    easy: int
    hard: int
    added: int
    removed: dict[str, int]
    student: str


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with: settings, store, agents."""

    settings: Settings
    folder: Path
    """The run folder."""
    base: Path
    """Folder of the untaught student."""
    store: Store
    agents: RunAgents
    engine: Engine
    verifier: Verifier
    listener: Listener
    solver: Path | None = None
    """Folder of the model that answers if the student only plans; None if the student answers itself."""
    followed: Path | None = None
    """Folder of the model that the student follows in a second training by distillation."""
    larger: Path | None = None
    """Folder of the model whose likelihoods choose what is taught."""
    should_stop: Callable[[], bool]
    """Called between work items. Once it returns True, the node raises `StoppedError`."""

    def is_doubtful(self, problem: Problem) -> bool:
        """Returns True if the problem's answer is only a proposal of the model that wrote the problem."""
        return problem.parent is not None and not self.agents.synthesizer.proven

    def student(self, state: RunState) -> Path:
        """Returns the folder of the latest student."""
        return self.folder / state.student if state.student else self.base

    def student_name(self, state: RunState) -> str:
        """Returns the name of the latest student in the tables."""
        return state.student or self.settings.student
