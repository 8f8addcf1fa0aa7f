"""A run's context around a store of one's own, for tests of single nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.synthesizer import SymbolicSynthesizer, Synthesizer
from agents.teacher import SymbolicTeacher
from agents.verifier import Verifier
from graph.crew import Agents, assembled
from graph.state import RunContext
from settings import Settings
from storage.store import Store
from tests.graph.test_run import Recorder


@contextmanager
def opened(
    folder: Path,
    store: Store,
    settings: Settings,
    *,
    base: Path,
    synthesizer: Synthesizer | None = None,
    solver: Path | None = None,
) -> Iterator[RunContext]:
    agents = Agents(teacher=SymbolicTeacher(), synthesizer=synthesizer or SymbolicSynthesizer())
    run = store.run().id
    with assembled(settings, agents, run=run, cache=folder) as crew, Verifier(workers=1) as verifier:
        yield RunContext(
            settings=settings,
            folder=folder,
            base=base,
            solver=solver,
            store=store,
            crew=crew,
            verifier=verifier,
            listener=Recorder(),
            should_stop=lambda: False,
        )
