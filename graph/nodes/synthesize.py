"""Synthesize: each probed problem gets a child, harder if the student solved it, similar if it did not."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from fdd.agents.synthesizer import operator_for
from fdd.domain import (
    Band,
    Draft,
    Operator,
    Problem,
    Progress,
    Reason,
    Refusal,
    Stopwatch,
    content_hash,
    problem_id,
)
from fdd.graph.journal import call_without_model, calls_to_models, kept_out, transcripts
from fdd.graph.plan import announce
from fdd.graph.spans import Ledger, Stage
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.matching import exact_form
from fdd.problems.contamination import Decontaminator, Leak
from fdd.settings import Settings
from fdd.storage.records import (
    TAUGHT_SPLITS,
    CallRecord,
    ContaminationRecord,
    ProblemRecord,
    Record,
    evaluation_name,
)

DRAFTS = 3
"""Most drafts per parent. After this many that repeat known problems, the parent gets no child."""
STEPS_AT_ONCE = 500
"""Drafts whose steps are stored in one transaction."""


@dataclass(frozen=True, slots=True)
class Order:
    """A request for a child of a problem; `number` counts its drafts from 0."""

    parent: Problem
    operator: Operator
    number: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The synthesizer's response to a request."""

    order: Order
    content: Draft | Refusal
    calls: Sequence[CallRecord]
    steps: Sequence[Record]
    """Spans and transcripts of the draft."""
    final: bool
    """Whether the response would be the same after an interruption. False if a model did not answer, because
    it may answer then.
    """


def synthesize(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Writes the next round's problems and stores them in one transaction. Only spans and transcripts are
    stored earlier.

    The result depends on the store before this phase, the seed and the cached replies of models, so that a
    second pass after a crash writes the same problems.
    """
    context = runtime.context
    parents = list(choose_parents(state, context))
    shelf = Shelf(state, context)
    announce(state.round + 1, context)
    context.agents.run(_write_children, parents, shelf, state, context)
    context.store.add([*shelf.calls, *shelf.steps, *shelf.written, *shelf.kept_out])
    return {"round": state.round + 1, "added": len(shelf.written), "removed": dict(shelf.refused)}


async def _write_children(
    parents: Sequence[tuple[ProblemRecord, Band]], shelf: Shelf, state: RunState, context: RunContext
) -> None:
    """Requests a draft from every parent, then another one if it repeats a known problem.

    Drafts are examined in the order of the parents, so that the order in which they arrive does not matter.
    """
    orders = place_orders(parents, state, context.settings)
    ledger = Ledger(context.store, STEPS_AT_ONCE)
    while orders:
        delivered: dict[Order, Delivery] = {}
        settled = len(parents) - len(orders)
        _report(state, context, settled, len(parents), shelf)
        async for delivery in context.agents.finished(orders, shelf.ask, context.should_stop):
            delivered[delivery.order] = delivery
            ledger.add(delivery.steps if delivery.final else ())
            # The last draft is not reported here: no parent is settled before `take` has seen all drafts.
            if len(delivered) < len(orders):
                _report(state, context, settled + len(delivered), len(parents), shelf)
        again = (shelf.take(delivered[order]) for order in orders)
        orders = [order for order in again if order is not None]
    ledger.flush()
    _report(state, context, len(parents), len(parents), shelf)


def place_orders(
    parents: Sequence[tuple[ProblemRecord, Band]], state: RunState, settings: Settings
) -> list[Order]:
    """Returns one request per parent, with the operator for its band. `shuffled` assigns the same operators
    to the parents at random.
    """
    operators = [operator_for(band) for _, band in parents]
    if settings.operators == "shuffled":
        random.Random(f"operators {settings.seed} {state.round}").shuffle(operators)
    return [Order(parent, operator) for (parent, _), operator in zip(parents, operators, strict=True)]


def choose_parents(state: RunState, context: RunContext) -> Iterator[tuple[ProblemRecord, Band]]:
    """Yields the problems that this round's student was probed on, with their bands.

    Leaves out problems that a person rejected, and children of the next round: `probe_children` asks this
    student about them as well.
    """
    rejected = {rejection.problem_id for rejection in context.store.rejections()}
    probes = {probe.problem_id: probe for probe in context.store.probes(round=state.round)}
    for problem in context.store.problems(splits=TAUGHT_SPLITS):
        later = problem.parent is not None and problem.round > state.round
        if problem.id in probes and problem.id not in rejected and not later:
            yield problem, probes[problem.id].band


class Shelf:
    """Collects the problems written for the next round, and knows everything that they must not repeat."""

    def __init__(self, state: RunState, context: RunContext) -> None:
        known = [
            problem
            for problem in context.store.problems()
            if problem.split != "generated" or problem.round <= state.round
        ]
        evaluations: defaultdict[str, list[Problem]] = defaultdict(list)
        for problem in known:
            if problem.split not in TAUGHT_SPLITS:
                evaluations[evaluation_name(problem.split)].append(problem)
        rejected = {rejection.problem_id for rejection in context.store.rejections()}
        self.others = [
            problem
            for problem in known
            if problem.split == "seed" and problem.round <= state.round + 1 and problem.id not in rejected
        ]
        self.seen = {exact_form(problem.question) for problem in known}
        self.decontaminator = Decontaminator(evaluations)
        self.stage = Stage(state.round, "synthesize")
        self.round = state.round + 1
        self.context = context
        self.written: list[ProblemRecord] = []
        self.calls: list[CallRecord] = []
        self.steps: list[Record] = []
        """Spans and transcripts of drafts that are not final, which must not be stored before the end."""
        self.kept_out: list[ContaminationRecord] = []
        self.refused: Counter[str] = Counter()

    async def ask(self, order: Order) -> Delivery:
        synthesizer, seed = self.context.agents.synthesizer, self.context.settings.seed
        parent, operator, number = order.parent, order.operator, order.number
        # Seeded per draft, so that it does not depend on the order in which drafts are written.
        rng = random.Random(f"{seed} {self.round} {parent.id} {operator} {number}")
        watch = Stopwatch()
        draft = await synthesizer.write(parent, operator, self.others, rng)
        timing = watch.read()
        calls = calls_to_models(draft.calls, round=self.round, problem_id=parent.id) or [
            call_without_model(
                "synthesizer",
                synthesizer.name,
                content_hash(operator, parent.id, str(self.round)),
                round=self.round,
                seed=seed,
                sample=number,
                answered=isinstance(draft.content, Draft),
                timing=timing,
                problem_id=parent.id,
            )
        ]
        steps = [
            *self.stage.step(
                "synthesizer",
                f"{operator}, draft {number + 1}",
                timing,
                calls,
                status=calls[-1].status,
                problem=parent.id,
                subject=_id_of(draft.content) or calls[-1].id,
            ),
            *transcripts(draft.calls, calls[: len(draft.calls)]),
        ]
        final = all(call.reply is not None for call in draft.calls)
        return Delivery(order, draft.content, calls, steps, final)

    def take(self, delivery: Delivery) -> Order | None:
        """Keeps the draft or counts why it was refused. Returns a new request if another draft may help."""
        order, content = delivery.order, delivery.content
        self.calls += delivery.calls
        if not delivery.final:
            self.steps += delivery.steps
        fault = content.reason if isinstance(content, Refusal) else self._fault(content, order)
        if isinstance(content, Draft) and fault is None:
            self._keep(content, order, delivery.calls[-1])
            return None
        if isinstance(content, Draft) and order.number + 1 < DRAFTS:
            return replace(order, number=order.number + 1)
        self.refused[str(fault)] += 1
        return None

    def _fault(self, draft: Draft, order: Order) -> str | None:
        if match := self.decontaminator.match(draft.question):
            leak = Leak(draft.question, match)
            self.kept_out.append(
                kept_out(leak, round=self.round, parent=order.parent.id, operator=order.operator)
            )
            return str(match)
        return str(Reason.DUPLICATE) if exact_form(draft.question) in self.seen else None

    def _keep(self, draft: Draft, order: Order, call: CallRecord) -> None:
        parent = order.parent
        problem = Problem(
            id=_id_of(draft),
            question=draft.question,
            answer=draft.answer,
            solution=draft.solution,
            source=parent.source,
            template=parent.template,
            parent=parent.id,
            operator=order.operator,
            round=self.round,
        )
        self.seen.add(exact_form(draft.question))
        agent = self.context.agents.synthesizer.name
        self.written.append(ProblemRecord.of(problem, split="generated", agent=agent, call_id=call.id))


def _id_of(content: Draft | Refusal) -> str:
    """Returns the id that the draft has as a problem; empty for a refusal."""
    return problem_id(content.question, content.answer) if isinstance(content, Draft) else ""


def _report(state: RunState, context: RunContext, done: int, total: int, shelf: Shelf) -> None:
    note = ", ".join(part for part in (f"{len(shelf.written)} written", context.agents.expenses()) if part)
    context.listener.advanced(
        Progress(round=state.round, phase="synthesize", done=done, total=total, note=note)
    )
