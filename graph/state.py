"""What the outer graph knows (`RunState`, checkpointed) and what it runs with (`RunContext`, not)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypedDict

from agents.verifier import Verifier
from domain import Problem, Progress
from graph.crew import Crew
from settings import Settings
from storage.store import Store

UNTAUGHT = -1
"""The round of the student before any teaching."""


@dataclass(kw_only=True)
class RunState:
    """Where a run stands: counters and decisions only, the payload is in the store."""

    run: str
    rounds: int
    """How many rounds of feedback follow the first round of teaching."""
    round: int = 0
    """The round whose training set is being made or whose student is being asked."""
    problems: int = 0
    """Problems in the training set: those with an accepted rationale."""
    quarantined: int = 0
    """Problems of this round without one."""
    easy: int = 0
    hard: int = 0
    """Problems probed in this round, by band."""
    added: int = 0
    """Problems written for the next round."""
    removed: dict[str, int] = field(default_factory=dict)
    """Problems proposed for this round and not taken, by reason."""
    student: str = ""
    """The latest student that was kept, relative to the run folder; empty while it is the untaught one."""


class RunUpdate(TypedDict, total=False):
    """What a node may change; LangGraph drops unknown keys, the type checker reports them."""

    round: int
    problems: int
    quarantined: int
    easy: int
    hard: int
    added: int
    removed: dict[str, int]
    student: str


class Listener(Protocol):
    """Whoever watches a run."""

    def advanced(self, progress: Progress) -> None:
        """A phase began (`done` is 0), went on, or ended (`done` equals `total`)."""
        ...

    def evaluated(self, round: int) -> None:
        """The student of this round has been evaluated and everything about it is in the store."""
        ...

    def noticed(self, text: str) -> None:
        """Something a person should know happened."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with: settings, the store and the agents."""

    settings: Settings
    folder: Path
    """The run folder."""
    base: Path
    """Folder of the untaught student."""
    store: Store
    crew: Crew
    verifier: Verifier
    listener: Listener
    solver: Path | None = None
    """Folder of the model that answers where the student only plans."""
    should_stop: Callable[[], bool]
    """Asked between units of work; once it says yes, the node raises `StoppedError`."""

    def is_doubtful(self, problem: Problem) -> bool:
        """Whether its answer is only what the model proposed that wrote it."""
        return problem.parent is not None and not self.crew.synthesizer.proven

    def student(self, state: RunState) -> Path:
        """Folder of the latest student."""
        return self.folder / state.student if state.student else self.base

    def student_name(self, state: RunState) -> str:
        """What the latest student is called in the tables."""
        return state.student or self.settings.student
