"""Synthesize: a probed problem gets a child, harder where the student solved it, similar where it did not."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter

from langgraph.runtime import Runtime

from agents.synthesizer import operator_for
from domain import Band, Draft, Operator, Problem, Reason, Refusal, content_hash, problem_id
from errors import StoppedError
from graph.journal import call_of
from graph.state import Progress, RunContext, RunState, RunUpdate
from matching import exact_form
from problems.contamination import Decontaminator
from storage.records import TAUGHT_SPLITS, CallRecord, ProblemRecord, evaluation_name

DRAFTS = 3
"""Drafts asked for before a parent is left without a child, when they repeat what is there."""


def synthesize(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    """Write the next round's problems, all of them in one transaction.

    What is written depends on the store as it stood before and on the seed alone, so that a second pass
    after a crash writes the same.
    """
    context = runtime.context
    parents = list(choose_parents(state, context))
    shelf = Shelf(state, context)
    for count, (parent, band) in enumerate(parents):
        if context.should_stop():
            raise StoppedError("stopped while writing problems")
        _report(state, context, count, len(parents), shelf)
        shelf.add_child(parent, operator_for(band))
    context.store.add([*shelf.calls, *shelf.written])
    _report(state, context, len(parents), len(parents), shelf)
    return {"round": state.round + 1, "added": len(shelf.written), "removed": dict(shelf.refused)}


def choose_parents(state: RunState, context: RunContext) -> Iterator[tuple[ProblemRecord, Band]]:
    """What this round's student was probed on, and this round's children, by their latest band."""
    latest = {
        probe.problem_id: probe
        for round in (state.round - 1, state.round)
        for probe in context.store.probes(round=round)
    }
    for problem in context.store.problems(splits=TAUGHT_SPLITS):
        probe = latest.get(problem.id)
        held_back = problem.parent is None and problem.round == state.round + 1
        new_child = problem.parent is not None and problem.round == state.round
        again = problem.round <= state.round and probe is not None and probe.round == state.round
        if probe is not None and (held_back or new_child or again):
            yield problem, probe.band


class Shelf:
    """The problems written so far for the next round, and everything that they must not repeat."""

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
        self.others = [p for p in known if p.split == "seed" and p.round <= state.round + 1]
        self.seen = {exact_form(problem.question) for problem in known}
        self.decontaminator = Decontaminator(evaluations)
        self.round = state.round + 1
        self.context = context
        self.written: list[ProblemRecord] = []
        self.calls: list[CallRecord] = []
        self.refused: Counter[str] = Counter()

    def add_child(self, parent: Problem, operator: Operator) -> None:
        """Write one child, or count why there is none."""
        reason = str(Reason.NO_VARIATION)
        for number in range(DRAFTS):
            draft, call = self._ask(parent, operator, number)
            self.calls.append(call)
            if isinstance(draft, Refusal):
                reason = str(draft.reason)
                break
            fault = self._fault(draft)
            if fault is None:
                self._keep(draft, parent, operator, call)
                return
            reason = fault
        self.refused[reason] += 1

    def _ask(self, parent: Problem, operator: Operator, number: int) -> tuple[Draft | Refusal, CallRecord]:
        synthesizer, seed = self.context.synthesizer, self.context.settings.seed
        rng = random.Random(f"{seed} {self.round} {parent.id} {operator} {number}")
        started, clock = datetime.now(UTC), perf_counter()
        draft = synthesizer.write(parent, operator, self.others, rng)
        call = call_of(
            "synthesizer",
            synthesizer.name,
            content_hash(operator, parent.id, str(self.round)),
            round=self.round,
            seed=seed,
            sample=number,
            answered=isinstance(draft, Draft),
            started=started,
            seconds=perf_counter() - clock,
        )
        return draft, call

    def _fault(self, draft: Draft) -> str | None:
        if match := self.decontaminator.match(draft.question):
            return str(match)
        return str(Reason.DUPLICATE) if exact_form(draft.question) in self.seen else None

    def _keep(self, draft: Draft, parent: Problem, operator: Operator, call: CallRecord) -> None:
        problem = Problem(
            id=problem_id(draft.question, draft.answer),
            question=draft.question,
            answer=draft.answer,
            solution=draft.solution,
            source=parent.source,
            template=parent.template,
            parent=parent.id,
            operator=operator,
            round=self.round,
        )
        self.seen.add(exact_form(draft.question))
        agent = self.context.synthesizer.name
        self.written.append(ProblemRecord.of(problem, split="generated", agent=agent, call_id=call.id))


def _report(state: RunState, context: RunContext, done: int, total: int, shelf: Shelf) -> None:
    note = f"{len(shelf.written)} written"
    context.listener.advanced(
        Progress(round=state.round, phase="synthesize", done=done, total=total, note=note)
    )
