"""Leaves problems out where `--overgenerate` had more written than are to be taught.

Each skill keeps its share; `agents.selection` says which of its problems are worth most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import fmean

from fdd.agents.allocation import whole
from fdd.agents.evaluator import Majority, samples_of
from fdd.agents.selection import Evidence, because, worth
from fdd.domain import SelectName
from fdd.graph.curriculum import round_budget
from fdd.graph.exam import Exam, examine, probing
from fdd.graph.state import RunContext, RunState
from fdd.rundir.answers import Question
from fdd.rundir.examples import as_example
from fdd.storage.records import SIBLING, AttemptRecord, ProblemRecord, RejectionRecord
from fdd.storage.store import Lesson
from fdd.training.tasks import Example, LikelihoodTask


def leave_out_surplus(children: Sequence[ProblemRecord], state: RunState, context: RunContext) -> None:
    """Rejects children beyond the budget. All of them were probed with the student of the round before."""
    budget = round_budget(context.store, context.settings)
    if len(children) <= budget:
        return
    found = _evidence(children, state, context)
    context.store.add(surplus(children, budget, context.settings.select, found, state.round))


def surplus(
    children: Sequence[ProblemRecord],
    budget: int,
    policy: SelectName,
    found: Mapping[str, Evidence],
    round: int,
) -> Iterator[RejectionRecord]:
    """Yields rejections for all but `budget` children; `found` is the evidence by id."""
    by_skill: defaultdict[str, list[ProblemRecord]] = defaultdict(list)
    for child in sorted(children, key=lambda child: child.id):
        by_skill[child.skill].append(child)
    kept = min(1.0, budget / max(1, len(children)))
    shares = {skill: kept * len(members) for skill, members in sorted(by_skill.items())}
    for skill, number in whole(shares, min(budget, len(children))).items():
        best = sorted(by_skill[skill], key=lambda child: worth(policy, found[child.id]), reverse=True)
        for child in best[number:]:
            detail = f"others teach more: {because(policy, found[child.id])}"
            yield RejectionRecord(problem_id=child.id, round=round, detail=detail)


def _evidence(
    children: Sequence[ProblemRecord], state: RunState, context: RunContext
) -> Mapping[str, Evidence]:
    """Collects what the policy of the run wants to know of each child, by id."""
    policy, store = context.settings.select, context.store
    answers = _by_problem(store.attempts(round=state.round - 1, purpose="probe"))
    students = {context.settings.student, *(record.student for record in store.rounds())}
    explained = _explained(children, students, state, context)
    shown, alone = {}, {}
    if policy in ("shown", "gain"):
        siblings: defaultdict[str, list[ProblemRecord]] = defaultdict(list)
        for sibling in store.problems(splits=[SIBLING]):
            if sibling.id in answers:
                siblings[sibling.skill].append(sibling)
        shown = _show(children, explained, siblings, state, context)
        alone = {
            skill: _solve_rate([each for one in members for each in answers[one.id]])
            for skill, members in siblings.items()
        }
    ratios = _ratios(explained, context) if policy == "likelihood" else {}
    confidence: defaultdict[str, list[bool]] = defaultdict(list)
    for rationale in store.rationales(round=state.round):
        if rationale.agent not in students:
            confidence[rationale.problem_id].append(rationale.reason.accepted)
    return {
        child.id: Evidence(
            values=[attempt.value for attempt in answers[child.id]],
            right=sum(attempt.reason.accepted for attempt in answers[child.id]),
            confidence=fmean(confidence[child.id] or [0.0]),
            shown=shown.get(child.id),
            alone=alone.get(child.skill),
            ratio=ratios.get(child.id),
        )
        for child in children
    }


def _explained(
    children: Sequence[ProblemRecord], students: Collection[str], state: RunState, context: RunContext
) -> dict[str, Example]:
    """Returns each child with one rationale: in the first format that has one, the teacher's rather than the
    student's own.
    """
    places = {name: place for place, name in enumerate(context.settings.thoughts)}

    def place(lesson: Lesson) -> tuple[int, bool, str]:
        rationale = lesson.rationale
        return places.get(rationale.thought, len(places)), rationale.agent in students, rationale.id

    lessons = sorted(context.store.training_set(round=state.round), key=place, reverse=True)
    first = {lesson.problem.id: lesson for lesson in lessons}
    return {child.id: as_example(first[child.id], planning=False) for child in children}


def _by_problem(attempts: Sequence[AttemptRecord]) -> dict[str, list[AttemptRecord]]:
    found: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.problem_id].append(attempt)
    return dict(found)


def _solve_rate(attempts: Sequence[AttemptRecord]) -> float:
    return fmean(attempt.reason.accepted for attempt in attempts)


def _show(
    children: Sequence[ProblemRecord],
    explained: Mapping[str, Example],
    siblings: Mapping[str, Sequence[ProblemRecord]],
    state: RunState,
    context: RunContext,
) -> dict[str, float]:
    """Asks the siblings of each child with the child as a worked example; returns the solve rates.

    Children of a skill without siblings are left out.
    """
    settings = context.settings
    exam = Exam(
        phase="probe_children",
        during=state.round,
        round=state.round - 1,
        purpose="shown",
        student=context.student(state),
        model=context.student_name(state),
        policy=Majority(samples_of(settings.thoughts[0], settings.samples)),
        config=probing(settings),
    )
    questions = [
        Question(problem=sibling, evaluation=child.id, shots=(explained[child.id],))
        for child in children
        for sibling in siblings.get(child.skill, ())
    ]
    answers: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in examine(exam, questions, context):
        answers[attempt.evaluation].append(attempt)
    return {child: _solve_rate(attempts) for child, attempts in answers.items()}


def _ratios(explained: Mapping[str, Example], context: RunContext) -> dict[str, float]:
    """Returns how much likelier the larger model finds each rationale, in nats per character."""
    assert context.larger is not None
    larger, student = (
        context.engine.run(
            LikelihoodTask(
                student=folder, examples=tuple(explained.values()), device=context.settings.device
            ),
            lambda _: None,
            context.should_stop,
        )
        for folder in (context.larger, context.base)
    )
    return {
        key: (more - less) / len(example.rationale)
        for (key, example), more, less in zip(explained.items(), larger, student, strict=True)
    }
