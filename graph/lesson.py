"""The inner graph, run once per problem: rationales are written and verified, then repaired, kept or
quarantined.

If the answer is known, each rationale must reach it, and an expert tries where the teacher has failed. If a
model proposed the answer along with the problem, independent solutions must also agree on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from fdd.agents.checking.agreement import Vote, agreed
from fdd.agents.models.request import Call
from fdd.agents.synthesizer import Attempt
from fdd.agents.teacher import ModelTeacher, Solver, SymbolicTeacher, Teacher, Written
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Reason, Refusal, Stopwatch, Timing, Verdict


@dataclass(frozen=True, kw_only=True)
class Task:
    """One rationale to be written."""

    thought: str
    sample: int = 0
    """Number of the solution among independent solutions in the same thought."""
    failed: Try | None = None
    """The try to be repaired; None for a first try."""
    attempt: Attempt | None = None
    """The student's answer that the teacher is to see."""
    by_expert: bool = False
    """Whether the expert writes it, because the teacher has failed."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the teacher answered to one task."""

    task: Task
    content: str | Refusal
    calls: tuple[Call, ...]
    """Requests to a model that the reply took."""
    timing: Timing

    @property
    def text(self) -> str:
        """The rationale; empty if the teacher refused."""
        return self.content if isinstance(self.content, str) else ""


@dataclass(frozen=True, kw_only=True)
class Try:
    """One reply of the teacher and what the verifier found in it."""

    reply: Reply
    verdict: Verdict

    @property
    def thought(self) -> str:
        return self.reply.task.thought

    @property
    def repair(self) -> bool:
        """Whether the teacher saw an earlier verdict when writing it."""
        return self.reply.task.failed is not None


@dataclass(kw_only=True)
class LessonState:
    """State of one lesson. It is not checkpointed."""

    problem: Problem
    tasks: tuple[Task, ...]
    """Rationales to be written next."""
    replies: tuple[Reply, ...] = ()
    """The latest replies of the teacher or solver, not yet verified."""
    tries: list[Try] = field(default_factory=list)
    """Everything verified so far, oldest first."""
    doubt: Verdict | None = None
    """Why the problem's answer is not trusted; None if it is trusted or was known from the start."""
    outcome: Literal["", "kept", "quarantined"] = ""

    def verdict(self, taken: Try) -> Verdict:
        """Returns the verdict to be stored for a try.

        If the problem's answer is in doubt, that answer cannot decide about a sound solution. Such a solution
        gets the doubt as its verdict, with its own value.
        """
        if self.doubt is None or sound_value(taken.verdict) is None:
            return taken.verdict
        return replace(self.doubt, value=taken.verdict.value)


class LessonUpdate(TypedDict, total=False):
    """What a node of the inner graph may change."""

    tasks: tuple[Task, ...]
    replies: tuple[Reply, ...]
    tries: list[Try]
    doubt: Verdict
    outcome: Literal["kept", "quarantined"]


@dataclass(frozen=True, kw_only=True)
class LessonContext:
    """The agents and settings that a lesson runs with."""

    teacher: Teacher
    verifier: Verifier
    solver: Solver | None = None
    """Solves a problem whose answer is only a proposal; None if the answer is known."""
    expert: Teacher | None = None
    """Explains what the teacher cannot, if the answer is known."""
    agreement: float = 1.0
    """Share of the solutions that must reach the proposed answer, at most 1."""

    def author(self, task: Task) -> Teacher:
        """Returns who writes the rationale of a task, if the problem's answer is known."""
        if not task.by_expert:
            return self.teacher
        assert self.expert is not None
        return self.expert


async def explain(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    context, problem = runtime.context, state.problem

    def write(task: Task) -> Awaitable[Written]:
        if context.solver is not None:
            return context.solver.solve(problem, task.thought, task.sample)
        author = context.author(task)
        if task.attempt is not None and isinstance(author, ModelTeacher):
            return author.explain_attempt(problem, task.thought, task.attempt)
        return author.explain(problem, task.thought)

    return {"replies": await _gather((task, write(task)) for task in state.tasks)}


async def verify(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    """Judges the latest replies and creates a repair task for each one that may be repaired."""
    context, problem = runtime.context, state.problem
    # Judging blocks on the sandbox, so it must not run in the event loop.
    verdicts = await asyncio.gather(
        *(asyncio.to_thread(_judge, context, reply, problem) for reply in state.replies)
    )
    new = [Try(reply=reply, verdict=verdict) for reply, verdict in zip(state.replies, verdicts, strict=True)]
    proposed = context.solver is not None
    failed = [taken for taken in new if _can_be_repaired(taken, proposed=proposed)]
    tasks = tuple(replace(taken.reply.task, failed=taken) for taken in failed)
    return {"tries": [*state.tries, *new], "tasks": tasks, "replies": ()}


async def repair(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    context, problem = runtime.context, state.problem

    def write(task: Task) -> Awaitable[Written]:
        assert task.failed is not None
        text, verdict = task.failed.reply.text, task.failed.verdict
        if context.solver is not None:
            return context.solver.repair(problem, task.thought, text, verdict, task.sample)
        return context.author(task).repair(problem, task.thought, text, verdict)

    return {"replies": await _gather((task, write(task)) for task in state.tasks)}


def escalate(state: LessonState) -> LessonUpdate:
    """Gives the expert what the teacher was to write, from the beginning."""
    first = dict.fromkeys(taken.thought for taken in state.tries)
    return {"tasks": tuple(Task(thought=thought, by_expert=True) for thought in first)}


def keep(state: LessonState) -> LessonUpdate:  # noqa: ARG001
    return {"outcome": "kept"}


def quarantine(state: LessonState, runtime: Runtime[LessonContext]) -> LessonUpdate:
    if runtime.context.solver is None:
        return {"outcome": "quarantined"}
    return {"outcome": "quarantined", "doubt": doubt_of(state, runtime.context.agreement)}


def judge_tries(
    state: LessonState, runtime: Runtime[LessonContext]
) -> Literal["keep", "repair", "escalate", "quarantine"]:
    context = runtime.context
    if state.tasks:
        return "repair"
    accepted = any(taken.verdict.accepted for taken in state.tries)
    if context.solver is not None:
        accepted = agreed(votes(state), context.agreement) == state.problem.answer
    elif context.expert is not None and not accepted and may_escalate(state):
        return "escalate"
    return "keep" if accepted else "quarantine"


def may_escalate(state: LessonState) -> bool:
    """Returns True if the teacher has answered and the expert was not asked. A server that is down is not
    replaced by the expert's.
    """
    answered = any(taken.verdict.reason is not Reason.CALL_FAILED for taken in state.tries)
    return answered and not state.tries[-1].reply.task.by_expert


def votes(state: LessonState) -> list[Vote]:
    """Returns one vote per solution: the value of its repair if it had one, else of its first try."""
    last = {(taken.thought, taken.reply.task.sample): taken for taken in state.tries}
    return [Vote(taken.thought, sound_value(taken.verdict)) for taken in last.values()]


def doubt_of(state: LessonState, share: float) -> Verdict:
    cast, proposed = votes(state), state.problem.answer
    other = agreed(cast, share)
    if other is not None:
        count = sum(vote.value == other for vote in cast)
        detail = f"{count} of {len(cast)} solutions agree on {other}, not on {proposed}"
        return Verdict(reason=Reason.DISPUTED, detail=detail)
    right = sum(vote.value == proposed for vote in cast)
    detail = f"{right} of {len(cast)} solutions come to the proposed answer"
    return Verdict(reason=Reason.NO_AGREEMENT, detail=detail)


def sound_value(verdict: Verdict) -> Fraction | None:
    """Returns the value of a solution without faults, right or wrong; None for a faulty solution."""
    return verdict.value if verdict.reason.is_by_reference else None


def _can_be_repaired(taken: Try, *, proposed: bool) -> bool:
    """Returns True for a rationale that failed once.

    An independent solution (`proposed`) is repaired only for its form, never for its value. Otherwise the
    repair would lead it to the proposed answer.
    """
    reason = taken.verdict.reason
    if taken.repair or reason.accepted or reason.unanswered:
        return False
    return not (proposed and (reason.is_by_reference or reason is Reason.BY_ACCIDENT))


def _judge(context: LessonContext, reply: Reply, problem: Problem) -> Verdict:
    if isinstance(reply.content, Refusal):
        return Verdict(reason=reply.content.reason, detail=reply.content.detail)
    # The symbolic teacher writes from the problem's own derivation: no check with other numbers is needed.
    derived = context.solver is None and isinstance(context.author(reply.task), SymbolicTeacher)
    return context.verifier.judge_rationale(reply.task.thought, reply.content, problem, derived=derived)


async def _gather(tasks: Iterable[tuple[Task, Awaitable[Written]]]) -> tuple[Reply, ...]:
    """Waits for every reply before it raises the first error, because all of them have to be paid for."""
    replies = await asyncio.gather(
        *(_timed(task, written) for task, written in tasks), return_exceptions=True
    )
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return tuple(reply for reply in replies if isinstance(reply, Reply))


async def _timed(task: Task, written: Awaitable[Written]) -> Reply:
    watch = Stopwatch()
    answer = await written
    return Reply(task=task, content=answer.content, calls=answer.calls, timing=watch.read())


def build_lesson() -> StateGraph[LessonState, LessonContext, LessonState, LessonState]:
    return (
        StateGraph(LessonState, context_schema=LessonContext)
        .add_node(explain)
        .add_node(verify)
        .add_node(keep)
        .add_node(repair)
        .add_node(escalate)
        .add_node(quarantine)
        .add_edge(START, "explain")
        .add_edge("explain", "verify")
        .add_conditional_edges(
            "verify", judge_tries, {name: name for name in ("keep", "repair", "escalate", "quarantine")}
        )
        .add_edge("repair", "verify")
        .add_edge("escalate", "explain")
        .add_edge("keep", END)
        .add_edge("quarantine", END)
    )
