"""Seed: problems come in, the grader is checked on their answers, each seed gets its round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from langgraph.runtime import Runtime

from domain import Problem
from errors import ProblemSetError
from graph.state import Progress, RunContext, RunState, RunUpdate
from problems.split import prepare
from settings import Settings
from storage.records import ProblemRecord, evaluation_split


def seed(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    context.listener.advanced(Progress(round=state.round, phase="seed", done=0, total=1))
    sets = prepare(context.settings.problems)
    for name, problems in {"seeds": sets.seeds, **sets.evaluation_sets}.items():
        _check_grader(name, problems, context)
    records = [ProblemRecord.of(problem, split="seed") for problem in share(sets.seeds, context.settings)]
    for name, problems in sets.evaluation_sets.items():
        records += [ProblemRecord.of(problem, split=evaluation_split(name)) for problem in problems]
    context.store.add(records)
    note = ", ".join(f"{len(problems)} {name}" for name, problems in sets.evaluation_sets.items())
    context.listener.advanced(
        Progress(round=state.round, phase="seed", done=1, total=1, note=f"{len(sets.seeds)} seeds, {note}")
    )
    return {"removed": dict(sets.removed)}


def share(seeds: Sequence[Problem], settings: Settings) -> list[Problem]:
    """Each seed with the round that first teaches it: the initial set, then equal parts for the other rounds.

    A problem that is held back is probed before any student was trained on it.
    """
    initial = settings.initial_share if settings.initial_share is not None else 1 / (settings.rounds + 1)
    first = max(1, round(initial * len(seeds)))
    later = len(seeds) - first
    return [
        replace(problem, round=0 if i < first else 1 + (i - first) * settings.rounds // later)
        for i, problem in enumerate(seeds)
    ]


def _check_grader(name: str, problems: Sequence[Problem], context: RunContext) -> None:
    offenders = context.verifier.self_check(problems)
    if offenders:
        raise ProblemSetError(
            f"the grader fails on {len(offenders)} of {len(problems)} reference answers of {name!r}, "
            f"first {offenders[0]!r}: correct these answers"
        )
