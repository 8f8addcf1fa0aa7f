"""Seed: problems come in, the grader is checked on their answers, each seed gets its round."""

from __future__ import annotations

from langgraph.runtime import Runtime

from domain import Progress
from graph.exam import check_grader
from graph.journal import kept_out
from graph.plan import share
from graph.state import RunContext, RunState, RunUpdate
from problems.split import prepare
from storage.records import ProblemRecord, Record, evaluation_split


def seed(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    context.listener.advanced(Progress(round=state.round, phase="seed", done=0, total=1))
    sets = prepare(context.settings.problems)
    for name, problems in {"seeds": sets.seeds, **sets.evaluation_sets}.items():
        check_grader(context.verifier, name, problems)
    seeds = share(sets.seeds, context.settings)
    records: list[Record] = [ProblemRecord.of(problem, split="seed") for problem in seeds]
    for name, problems in sets.evaluation_sets.items():
        records += [ProblemRecord.of(problem, split=evaluation_split(name)) for problem in problems]
    for name, problems in sets.unasked.items():
        split = evaluation_split(name, asked=False)
        records += [ProblemRecord.of(problem, split=split) for problem in problems]
    context.store.add([*records, *(kept_out(leak, round=0) for leak in sets.leaks)])
    note = ", ".join(f"{len(problems)} {name}" for name, problems in sets.evaluation_sets.items())
    context.listener.advanced(
        Progress(round=state.round, phase="seed", done=1, total=1, note=f"{len(sets.seeds)} seeds, {note}")
    )
    return {"removed": dict(sets.removed)}
