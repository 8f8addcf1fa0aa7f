"""The inner graph: one rationale for one problem is explained, verified, then kept, repaired once, or quarantined."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.teacher import Teacher
from agents.verifier import Verifier
from domain import Problem, Refusal, Verdict


@dataclass(frozen=True, kw_only=True)
class Try:
    """One text of the teacher and what the verifier found in it."""

    text: str
    """Empty where the teacher refused."""
    verdict: Verdict
    repair: bool
    """Whether the teacher saw an earlier verdict when writing it."""


@dataclass(kw_only=True)
class LessonState:
    """What one lesson knows; lives only as long as the lesson."""

    problem: Problem
    thought: str
    reply: str | Refusal = ""
    """The teacher's latest answer, not yet verified."""
    tries: Annotated[list[Try], operator.add] = field(default_factory=list)
    """Everything the teacher wrote so far, oldest first."""
    outcome: Literal["", "kept", "quarantined"] = ""


class LessonUpdate(TypedDict, total=False):
    """What a node of the inner graph may change."""

    reply: str | Refusal
    tries: list[Try]
    outcome: Literal["kept", "quarantined"]


@dataclass(frozen=True, kw_only=True)
class LessonContext:
    """What a lesson is run with."""

    teacher: Teacher
    verifier: Verifier


def explain(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    return {"reply": runtime.context.teacher.explain(state.problem, state.thought)}


def verify(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    repair = bool(state.tries)
    if isinstance(state.reply, Refusal):
        verdict = Verdict(reason=state.reply.reason, detail=state.reply.detail)
        return {"tries": [Try(text="", verdict=verdict, repair=repair)]}
    verdict = runtime.context.verifier.judge(state.thought, state.reply, state.problem.answer)
    return {"tries": [Try(text=state.reply, verdict=verdict, repair=repair)]}


def repair(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    failed = state.tries[-1]
    return {
        "reply": runtime.context.teacher.repair(state.problem, state.thought, failed.text, failed.verdict)
    }


def keep(state: LessonState) -> LessonUpdate:  # noqa: ARG001
    return {"outcome": "kept"}


def quarantine(state: LessonState) -> LessonUpdate:  # noqa: ARG001
    return {"outcome": "quarantined"}


def judge_try(state: LessonState) -> Literal["keep", "repair", "quarantine"]:
    if state.tries[-1].verdict.accepted:
        return "keep"
    return "quarantine" if state.tries[-1].repair else "repair"


def build_lesson() -> StateGraph[LessonState, LessonContext, LessonState, LessonState]:
    return (
        StateGraph(LessonState, context_schema=LessonContext)
        .add_node(explain)
        .add_node(verify)
        .add_node(keep)
        .add_node(repair)
        .add_node(quarantine)
        .add_edge(START, "explain")
        .add_edge("explain", "verify")
        .add_conditional_edges(
            "verify", judge_try, {"keep": "keep", "repair": "repair", "quarantine": "quarantine"}
        )
        .add_edge("repair", "verify")
        .add_edge("keep", END)
        .add_edge("quarantine", END)
    )
