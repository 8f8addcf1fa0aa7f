"""Wiring of the outer graph: which phase follows which."""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph

from graph.journal import logged
from graph.nodes.evaluate import baseline, evaluate
from graph.nodes.fine_tune import fine_tune
from graph.nodes.practise import practise
from graph.nodes.probe import probe, probe_children
from graph.nodes.report import report
from graph.nodes.seed import seed
from graph.nodes.synthesize import synthesize
from graph.nodes.teach import teach
from graph.state import RunContext, RunState

STEPS_PER_ROUND = 7
"""Nodes that one round passes through, for LangGraph's recursion limit."""


def is_first(state: RunState) -> Literal["first", "later"]:
    return "first" if state.round == 0 else "later"


def is_last(state: RunState) -> Literal["again", "done"]:
    return "again" if state.round < state.rounds else "done"


def build_run() -> StateGraph[RunState, RunContext, RunState, RunState]:
    """The outer graph, not compiled: a checkpointer is the caller's choice."""
    return (
        StateGraph(RunState, context_schema=RunContext)
        .add_node("seed", logged(seed))
        .add_node("teach", logged(teach))
        .add_node("baseline", logged(baseline))
        .add_node("practise", logged(practise))
        .add_node("probe_children", logged(probe_children))
        .add_node("fine_tune", logged(fine_tune))
        .add_node("evaluate", logged(evaluate))
        .add_node("probe", logged(probe))
        .add_node("synthesize", logged(synthesize))
        .add_node("report", logged(report))
        .add_edge(START, "seed")
        .add_edge("seed", "teach")
        .add_conditional_edges("teach", is_first, {"first": "baseline", "later": "practise"})
        .add_edge("baseline", "fine_tune")
        .add_edge("practise", "probe_children")
        .add_edge("probe_children", "fine_tune")
        .add_edge("fine_tune", "evaluate")
        .add_conditional_edges("evaluate", is_last, {"again": "probe", "done": "report"})
        .add_edge("probe", "synthesize")
        .add_edge("synthesize", "teach")
        .add_edge("report", END)
    )
