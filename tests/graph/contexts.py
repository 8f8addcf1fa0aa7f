"""Makes the context of a run around a given store, for tests of single nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdd.agents.synthesizer import SymbolicSynthesizer, Synthesizer
from fdd.agents.teacher import SymbolicTeacher, Written
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Verdict
from fdd.engines.engine import LOCAL
from fdd.graph.agents import Agents, open_agents
from fdd.graph.state import RunContext
from fdd.settings import Settings
from fdd.storage.store import Store
from tests.graph.test_run import Recorder


class IdleJudge(SymbolicTeacher):
    """A judge that fails the test if it is asked."""

    async def solve(self, problem: Problem, thought: str, sample: int) -> Written:
        raise AssertionError(f"nobody asked for {problem.id} to be solved: {thought}, {sample}")

    async def repair(
        self, problem: Problem, thought: str, rationale: str, verdict: Verdict, sample: int = 0
    ) -> Written:
        raise AssertionError(
            f"nobody asked to repair {rationale!r} for {problem.id}: {thought}, {sample}, {verdict}"
        )


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
    agents = Agents(
        teacher=SymbolicTeacher(), synthesizer=synthesizer or SymbolicSynthesizer(), judge=IdleJudge()
    )
    run = store.run().id
    with open_agents(settings, agents, run=run, cache=folder) as running, Verifier(workers=1) as verifier:
        yield RunContext(
            settings=settings,
            folder=folder,
            base=base,
            solver=solver,
            store=store,
            agents=running,
            engine=LOCAL,
            verifier=verifier,
            listener=Recorder(),
            should_stop=lambda: False,
        )
