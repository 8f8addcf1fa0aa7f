"""A run that a process has opened: to continue it phase by phase, to inspect it, and to reject problems."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from fdd.domain import PHASES
from fdd.errors import StoreError, UsageError, brief
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.lock import cannot_write
from fdd.storage.records import RejectionRecord
from fdd.storage.store import Store

CHECKPOINTS = "checkpoints.sqlite"
DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
UNREADABLE = (sqlite3.Error, ValueError, TypeError, LookupError, NotImplementedError)
"""Errors that a damaged checkpoint file causes, in SQLite or when its content is decoded. LangGraph raises
`NotImplementedError` for a kind of content that it does not know."""


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that this process has opened and may continue; see `graph.run.opened`.

    `graph`, `config` and `context` can be passed to LangGraph directly, for what `stream` does not offer.
    """

    graph: CompiledStateGraph[RunState, RunContext, RunState, RunState]
    config: RunnableConfig
    context: RunContext

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def state(self) -> RunState | None:
        """The state after the latest finished phase; None before the first phase has finished."""
        bookmark = self._bookmark()
        return RunState(**bookmark.values) if begun(bookmark) else None

    def stream(
        self, *, interrupt_before: Sequence[str] = (), interrupt_after: Sequence[str] = ()
    ) -> Iterator[tuple[str, RunUpdate]]:
        """Continues from the last checkpoint and yields each phase as it ends, with its update of the state.

        Stops at the end of the run, or before or after one of the named phases. Another `stream`, in this
        process or another one, continues from there. Raises `UsageError` for an unknown phase and
        `StoreError` for files that cannot be read or written.
        """
        unknown = {*interrupt_before, *interrupt_after} - PHASES.keys()
        if unknown:
            raise UsageError(f"no phase is called {brief(min(unknown))}: known are {', '.join(PHASES)}")
        state = None if begun(self._bookmark()) else self._beginning()
        try:
            for updates in self.graph.stream(
                state,
                self.config,
                context=self.context,
                stream_mode="updates",
                interrupt_before=interrupt_before,
                interrupt_after=interrupt_after,
                durability="sync",  # a checkpoint is on disk before the next phase begins
            ):
                for phase in PHASES:
                    if phase in updates:
                        update: RunUpdate | None = updates[phase]
                        yield phase, update or {}
        except (OSError, sqlite3.Error) as error:
            raise explain(error, self.context.folder) from error

    def finish(self, until: str | None = None) -> RunState:
        """Runs to the end of the run, or until this phase has ended next, and returns the last state."""
        deque(self.stream(interrupt_after=[until] if until else ()), maxlen=0)
        state = self.state
        assert state is not None
        return state

    def reject(self, problems: Mapping[str, str]) -> None:
        """Leaves problems out of the next training and of all later ones; `problems` maps ids to reasons.

        They are quarantined with the reason `rejected`. Earlier training sets do not change. Raises
        `UsageError` for a problem that the next training would not teach, and after the last training.
        """
        round = 1 + max((record.round for record in self.store.rounds()), default=-1)
        if round > self.context.settings.rounds:
            raise UsageError(f"round {round - 1} was the last to be taught: nothing can be rejected any more")
        taught = {lesson.problem.id for lesson in self.store.training_set(round=round)}
        if unknown := problems.keys() - taught:
            raise UsageError(
                f"problem {brief(min(unknown))} is not among those that round {round} would teach"
            )
        self.store.add(
            RejectionRecord(problem_id=problem, round=round, detail=why) for problem, why in problems.items()
        )

    def _beginning(self) -> RunState:
        return RunState(run=self.store.run().id, rounds=self.context.settings.rounds)

    def _bookmark(self) -> StateSnapshot:
        try:
            return self.graph.get_state(self.config)
        except UNREADABLE as error:
            raise explain(error, self.context.folder) from error


def begun(bookmark: StateSnapshot) -> bool:
    """Returns True if LangGraph can continue from this checkpoint. It cannot from those that it writes before
    the first step, which hold only the input.
    """
    return (bookmark.metadata or {}).get("source") == "loop"


def explain(error: Exception, folder: Path) -> StoreError:
    """Builds the error for a damaged checkpoint file, or for a file of the folder that cannot be written."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, OSError | sqlite3.Error) and not name.startswith(DAMAGED):
        return cannot_write(folder, error)
    return StoreError(
        f"the checkpoint {str(folder / CHECKPOINTS)!r} is damaged ({error}): delete it and resume; the run "
        "finds its way by the database, and nothing is lost"
    )
