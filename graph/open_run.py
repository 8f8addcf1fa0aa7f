"""A run that a process has opened: carried on phase by phase, looked at, and told what not to teach."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from domain import PHASES
from errors import StoreError, UsageError, brief
from graph.lock import cannot_write
from graph.state import RunContext, RunState, RunUpdate
from storage.records import RejectionRecord
from storage.store import Store

CHECKPOINTS = "checkpoints.sqlite"
DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
UNREADABLE = (sqlite3.Error, ValueError, TypeError, LookupError, NotImplementedError)
"""What a damaged bookmark leads to, in SQLite or when its content is decoded."""


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that this process has opened and may carry on; see `opened`.

    `graph`, `config` and `context` are what LangGraph takes, for whoever wants more of it than `stream`.
    """

    graph: CompiledStateGraph[RunState, RunContext, RunState, RunState]
    config: RunnableConfig
    context: RunContext

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def state(self) -> RunState | None:
        """Where the run stands; None before its first phase has ended."""
        bookmark = self._bookmark()
        return RunState(**bookmark.values) if begun(bookmark) else None

    def stream(
        self, *, interrupt_before: Sequence[str] = (), interrupt_after: Sequence[str] = ()
    ) -> Iterator[tuple[str, RunUpdate]]:
        """Go on from the bookmark: each phase as it ends, with what it changed.

        Stops at the end of the run, or at the next border with one of the phases named; another `stream`, in
        this process or another one, goes on from there.
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
                durability="sync",
            ):
                for phase in PHASES:
                    if phase in updates:
                        update: RunUpdate | None = updates[phase]
                        yield phase, update or {}
        except (OSError, sqlite3.Error) as error:
            raise explain(error, self.context.folder) from error

    def finish(self) -> RunState:
        """Go on to the end of the run."""
        deque(self.stream(), maxlen=0)
        state = self.state
        assert state is not None
        return state

    def reject(self, problems: Mapping[str, str]) -> None:
        """Leave these problems out of the next training and of everything after it; by id, why.

        They are quarantined with the reason `rejected`. What students were taught before stays as it was.
        Raises `UsageError` for one that the next training would not teach anyway, and after the last one.
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
    """Before the first step there are bookmarks of the input, from which LangGraph cannot go on."""
    return (bookmark.metadata or {}).get("source") == "loop"


def explain(error: Exception, folder: Path) -> StoreError:
    """What is wrong with the bookmark or another file of the folder."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, OSError | sqlite3.Error) and not name.startswith(DAMAGED):
        return cannot_write(folder, error)
    return StoreError(
        f"the bookmark {str(folder / CHECKPOINTS)!r} is damaged ({error}): delete it and resume; the run "
        "finds its way by the database, and nothing is lost"
    )
