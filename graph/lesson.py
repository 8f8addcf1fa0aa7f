"""The inner graph: one rationale is explained, verified, then kept, repaired once, or quarantined."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.teacher import Teacher
from agents.verifier import Verifier
from domain import Problem, Refusal, Verdict


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the teacher answered to one request."""

    content: str | Refusal
    started: datetime
    seconds: float

    @property
    def text(self) -> str:
        """Empty where the teacher refused."""
        return self.content if isinstance(self.content, str) else ""


@dataclass(frozen=True, kw_only=True)
class Try:
    """One reply of the teacher and what the verifier found in it."""

    reply: Reply
    verdict: Verdict
    repair: bool
    """Whether the teacher saw an earlier verdict when writing it."""


@dataclass(kw_only=True)
class LessonState:
    """What one lesson knows; lives only as long as the lesson."""

    problem: Problem
    thought: str
    reply: Reply | None = None
    """The teacher's latest, not yet verified; None before the first."""
    tries: Annotated[list[Try], operator.add] = field(default_factory=list)
    """Everything the teacher wrote so far, oldest first."""
    outcome: Literal["", "kept", "quarantined"] = ""


class LessonUpdate(TypedDict, total=False):
    """What a node of the inner graph may change."""

    reply: Reply
    tries: list[Try]
    outcome: Literal["kept", "quarantined"]


@dataclass(frozen=True, kw_only=True)
class LessonContext:
    """What a lesson is run with."""

    teacher: Teacher
    verifier: Verifier


def explain(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    teacher = runtime.context.teacher
    return {"reply": _timed(lambda: teacher.explain(state.problem, state.thought))}


def verify(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    assert state.reply is not None
    content = state.reply.content
    if isinstance(content, Refusal):
        verdict = Verdict(reason=content.reason, detail=content.detail)
    else:
        verdict = runtime.context.verifier.judge(state.thought, content, state.problem.answer)
    return {"tries": [Try(reply=state.reply, verdict=verdict, repair=bool(state.tries))]}


def repair(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    teacher, failed = runtime.context.teacher, state.tries[-1]
    return {
        "reply": _timed(
            lambda: teacher.repair(state.problem, state.thought, failed.reply.text, failed.verdict)
        )
    }


def keep(state: LessonState) -> LessonUpdate:  # noqa: ARG001
    return {"outcome": "kept"}


def quarantine(state: LessonState) -> LessonUpdate:  # noqa: ARG001
    return {"outcome": "quarantined"}


def _timed(request: Callable[[], str | Refusal]) -> Reply:
    started, clock = datetime.now(UTC), perf_counter()
    content = request()
    return Reply(content=content, started=started, seconds=perf_counter() - clock)


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
