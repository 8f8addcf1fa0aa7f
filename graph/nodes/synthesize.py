"""Synthesize: writes the problems that the next round adds, for the skills that need them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from fdd.agents.allocation import operator_for
from fdd.agents.skills import sub_skill
from fdd.agents.synthesizer import Attempt, Wanted
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
from fdd.graph.curriculum import attempts_to_show, child_of, parents_by_skill, plan
from fdd.graph.journal import call_without_model, calls_to_models, kept_out, transcripts
from fdd.graph.plan import announce
from fdd.graph.spans import RowBuffer, Stage
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.matching import exact_form
from fdd.problems.contamination import Decontaminator, Leak
from fdd.storage.records import (
    TAUGHT_SPLITS,
    CallRecord,
    ContaminationRecord,
    ProblemRecord,
    Record,
    evaluation_name,
)

DRAFTS = 3
"""Most drafts for one problem with one operator."""
PASSES = 3
"""Times that problems which could not be written are given to other skills."""
STEPS_AT_ONCE = 500
"""Drafts whose steps are stored in one transaction."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One problem to write. Each further draft is made from the next of the parents."""

    parents: tuple[ProblemRecord, ...]
    wanted: Operator
    unit: int = 0
    """Distinguishes assignments with the same parents."""
    draft: int = 0

    @property
    def parent(self) -> ProblemRecord:
        return self.parents[(self.unit + self.draft) % len(self.parents)]

    @property
    def operator(self) -> Operator:
        """The wanted operator or, after `DRAFTS` drafts in vain, `similar`."""
        return self.wanted if self.draft < DRAFTS else Operator.SIMILAR

    def again(self) -> Assignment | None:
        """Returns the assignment for another draft; None if there were enough."""
        most = DRAFTS if self.wanted is Operator.SIMILAR or len(self.parents) == 1 else 2 * DRAFTS
        return replace(self, draft=self.draft + 1) if self.draft + 1 < most else None


@dataclass(frozen=True, slots=True)
class Response:
    """The synthesizer's response to an assignment."""

    assignment: Assignment
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
    writer = Writer(state, context)
    if context.settings.adds == "written":
        announce(state.round + 1, context)
        work = write_one_each if context.settings.allocation == "each" else write_plan
        context.agents.run(work, writer, state, context)
    context.store.add([*writer.calls, *writer.steps, *writer.written, *writer.kept_out])
    return {"round": state.round + 1, "added": len(writer.written), "removed": dict(writer.refused)}


async def write_one_each(writer: Writer, state: RunState, context: RunContext) -> None:
    """Writes a child of each parent, harder if the student solved it, similar otherwise.

    `shuffled` gives the same operators to the parents at random; `similar` and `harder` are given to all.
    """
    parents = list(choose_parents(state, context))
    operators = [operator_for(band) for _, band in parents]
    if context.settings.operators in ("similar", "harder"):
        operators = [Operator(context.settings.operators)] * len(parents)
    if context.settings.operators == "shuffled":
        random.Random(f"operators {context.settings.seed} {state.round}").shuffle(operators)
    await writer.write(
        [Assignment((parent,), operator) for (parent, _), operator in zip(parents, operators, strict=True)]
    )


def choose_parents(state: RunState, context: RunContext) -> Iterator[tuple[ProblemRecord, Band]]:
    """Yields the problems that this round's student was probed on, with their bands, or of these only the
    seeds that it does not solve.

    Leaves out rejected problems, and children of the next round: `probe_children` asks this student about
    them as well.
    """
    only_unsolved = context.settings.parents == "unsolved"
    rejected = {rejection.problem_id for rejection in context.store.rejections()}
    probes = {probe.problem_id: probe for probe in context.store.probes(round=state.round)}
    for problem in context.store.problems(splits=TAUGHT_SPLITS):
        later = problem.parent is not None and problem.round > state.round
        if problem.id not in probes or problem.id in rejected or later:
            continue
        band = probes[problem.id].band
        if not (only_unsolved and (problem.parent or band is Band.EASY)):
            yield problem, band


async def write_plan(writer: Writer, state: RunState, context: RunContext) -> None:
    """Writes as many problems of each skill as the plan says. What cannot be written goes to other skills."""
    shares = plan(context.store, state.round, context.settings)
    parents = parents_by_skill(context.store, state.round)
    budget = sum(share.problems for share in shares.values())
    units: Counter[str] = Counter()

    def assign(skill: str, operator: Operator) -> Assignment:
        units[skill] += 1
        return Assignment(tuple(parents[skill]), operator, units[skill])

    assignments = [
        assign(skill, operator)
        for skill, share in shares.items()
        if skill in parents
        for operator in share.operators()
    ]
    for _ in range(PASSES):
        await writer.write(assignments)
        missing = budget - len(writer.written)
        able = sorted({problem.skill for problem in writer.written} & parents.keys())
        if not (missing and able):
            break
        assignments = [assign(able[i % len(able)], Operator.SIMILAR) for i in range(missing)]


class Writer:
    """Writes the problems of the next round, and knows everything that they must not repeat."""

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
        self.attempts = attempts_to_show(context.store, state.round, context.settings)
        self.stage = Stage(state.round, "synthesize")
        self.round = state.round + 1
        self.context = context
        self.written: list[ProblemRecord] = []
        self.calls: list[CallRecord] = []
        self.steps: list[Record] = []
        """Spans and transcripts of drafts that are not final, which must not be stored before the end."""
        self.kept_out: list[ContaminationRecord] = []
        self.refused: Counter[str] = Counter()

    async def write(self, assignments: Sequence[Assignment]) -> None:
        """Requests a draft for each assignment, then another one for those whose draft cannot be taken.

        Drafts are examined in the order of the assignments, so that the order in which they arrive does not
        matter.
        """
        context, total = self.context, len(assignments)
        buffer = RowBuffer(context.store, STEPS_AT_ONCE)
        while assignments:
            responses: dict[Assignment, Response] = {}
            settled = total - len(assignments)
            self._report(settled, total)
            async for response in context.agents.finished(assignments, self._ask, context.should_stop):
                responses[response.assignment] = response
                buffer.add(response.steps if response.final else ())
                # The last draft is not reported here: nothing is settled before `_take` has seen all drafts.
                if len(responses) < len(assignments):
                    self._report(settled + len(responses), total)
            again = [self._take(responses[assignment]) for assignment in assignments]
            assignments = [assignment for assignment in again if assignment is not None]
        buffer.flush()
        self._report(total, total)

    async def _ask(self, assignment: Assignment) -> Response:
        synthesizer, seed = self.context.agents.synthesizer, self.context.settings.seed
        parent, operator, number = assignment.parent, assignment.operator, assignment.draft
        unit = [str(assignment.unit)] if assignment.unit else []
        # Seeded per draft, so that it does not depend on the order in which drafts are written.
        rng = random.Random(" ".join(map(str, (seed, self.round, parent.id, operator, *unit, number))))
        watch = Stopwatch()
        attempt = self._attempt(assignment)
        wanted = Wanted(parent=parent, operator=operator, others=self.others, attempt=attempt)
        draft = await synthesizer.write(wanted, rng)
        timing = watch.read()
        calls = calls_to_models(draft.calls, round=self.round, problem_id=parent.id) or [
            call_without_model(
                "synthesizer",
                synthesizer.name,
                content_hash(operator, parent.id, str(self.round), *unit),
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
        return Response(assignment, draft.content, calls, steps, final)

    def _attempt(self, assignment: Assignment) -> Attempt | None:
        """Returns an answer of the student for the writer to see, another one for each problem of a skill."""
        parent = assignment.parent
        shown = self.attempts.get(parent.id) or self.attempts.get(parent.skill)
        return shown[(assignment.unit + assignment.draft) % len(shown)] if shown else None

    def _take(self, response: Response) -> Assignment | None:
        """Keeps the draft or counts why it was refused. Returns the assignment again if another may help."""
        assignment, content = response.assignment, response.content
        self.calls += response.calls
        if not response.final:
            self.steps += response.steps
        if isinstance(content, Draft):
            fault = self._fault(content, assignment)
            if fault is None:
                self._keep(content, assignment, response.calls[-1])
                return None
        else:
            fault = content.reason
            # The parent cannot be varied, so that only another parent helps.
            if len(assignment.parents) == 1:
                self.refused[fault] += 1
                return None
        again = assignment.again()
        if again is None:
            self.refused[fault] += 1
        return again

    def _fault(self, draft: Draft, assignment: Assignment) -> str | None:
        if match := self.decontaminator.match(draft.question):
            leak = Leak(draft.question, match)
            self.kept_out.append(
                kept_out(leak, round=self.round, parent=assignment.parent.id, operator=assignment.operator)
            )
            return str(match)
        return str(Reason.DUPLICATE) if exact_form(draft.question) in self.seen else None

    def _keep(self, draft: Draft, assignment: Assignment, call: CallRecord) -> None:
        problem = child_of(assignment.parent, draft, assignment.operator, self.round)
        if self.context.settings.grow_skills and problem.operator is Operator.HARDER:
            problem = replace(problem, skill=sub_skill(problem.skill))
        self.seen.add(exact_form(draft.question))
        agent = self.context.agents.synthesizer.name
        self.written.append(ProblemRecord.of(problem, split="generated", agent=agent, call_id=call.id))

    def _report(self, done: int, total: int) -> None:
        note = ", ".join(filter(None, (f"{len(self.written)} written", self.context.agents.expenses())))
        progress = Progress(round=self.round - 1, phase="synthesize", done=done, total=total, note=note)
        self.context.listener.advanced(progress)


def _id_of(content: Draft | Refusal) -> str:
    """Returns the id that the draft has as a problem; empty for a refusal."""
    return problem_id(content.question, content.answer) if isinstance(content, Draft) else ""
