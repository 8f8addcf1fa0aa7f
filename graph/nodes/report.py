"""Report: delivers the student that is best on the dev set, and its data set, under fixed names."""

from __future__ import annotations

from langgraph.runtime import Runtime

from fdd.domain import Progress
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.rundir.delivery import deliver


def report(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context = runtime.context
    student = deliver(context.folder, context.store, context.settings.thoughts)
    context.listener.advanced(Progress(round=state.round, phase="report", done=1, total=1, note=student))
    return {"student": student}
