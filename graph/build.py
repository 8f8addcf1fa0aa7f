"""Wiring of the outer graph: which phase follows which."""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.typing import ContextT, InputT, OutputT, StateT

from fdd.graph.journal import Node, logged
from fdd.graph.nodes.evaluate import baseline, evaluate, test
from fdd.graph.nodes.fine_tune import fine_tune
from fdd.graph.nodes.practise import practise
from fdd.graph.nodes.probe import probe, probe_children
from fdd.graph.nodes.refine import refine
from fdd.graph.nodes.report import report
from fdd.graph.nodes.seed import seed
from fdd.graph.nodes.synthesize import synthesize
from fdd.graph.nodes.teach import teach
from fdd.graph.state import RunContext, RunState

STEPS_PER_ROUND = 8
"""Nodes that one round passes through, for LangGraph's recursion limit."""


def is_first(state: RunState) -> Literal["first", "later"]:
    return "first" if state.round == 0 else "later"


def is_last(state: RunState) -> Literal["again", "done"]:
    return "again" if state.round < state.rounds else "done"


def phases() -> dict[str, Node]:
    """Returns the nodes of the outer graph by name, each wrapped by `logged`."""
    nodes: tuple[Node, ...] = (
        *(seed, teach, baseline, practise, probe_children),
        *(fine_tune, refine, evaluate, probe, synthesize, test, report),
    )
    return {node.__name__: logged(node) for node in nodes}


def build_run() -> StateGraph[RunState, RunContext, RunState, RunState]:
    """Builds the outer graph. It is not compiled, so that the caller chooses the checkpointer."""
    graph = StateGraph(RunState, context_schema=RunContext)
    for name, phase in phases().items():
        graph.add_node(name, phase)
    wire(graph)
    return graph.add_edge(START, "seed")


def wire(graph: StateGraph[StateT, ContextT, InputT, OutputT]) -> None:
    """Adds the edges between the phases. The caller adds the edge from START."""
    graph.add_conditional_edges("teach", is_first, {"first": "baseline", "later": "practise"})
    graph.add_conditional_edges("evaluate", is_last, {"again": "probe", "done": "test"})
    for before, after in (
        ("seed", "teach"),
        ("baseline", "fine_tune"),
        ("practise", "probe_children"),
        ("probe_children", "fine_tune"),
        ("fine_tune", "refine"),
        ("refine", "evaluate"),
        ("probe", "synthesize"),
        ("synthesize", "teach"),
        ("test", "report"),
        ("report", END),
    ):
        graph.add_edge(before, after)
