"""Labels seeds with skills that a model names first. Each request is a call and a span of the seed phase."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from fdd.agents.labeller import SHOWN
from fdd.agents.models.request import Answer
from fdd.agents.skills import OTHER
from fdd.domain import Problem, Progress, Refusal, Stopwatch
from fdd.errors import ProviderError
from fdd.graph.journal import calls_to_models, transcripts
from fdd.graph.spans import Stage
from fdd.graph.state import RunContext
from fdd.storage.records import Record


@dataclass(frozen=True, slots=True)
class Label:
    """A seed's skill, `OTHER` if the model chose none, and the rows of the requests that it took."""

    problem: Problem
    skill: str
    rows: Sequence[Record]


async def label(seeds: Sequence[Problem], context: RunContext) -> tuple[list[str], list[Record]]:
    """Returns the skill of each seed, and the rows to store; `ProviderError` if no skills are named."""
    labeller = context.agents.labeller
    assert labeller is not None  # `check_agents` has seen to it
    sample = random.Random(f"skills {context.settings.seed}").sample(seeds, min(SHOWN, len(seeds)))
    watch = Stopwatch()
    named = await labeller.name_skills(sample)
    rows = _rows("name the skills", named, watch)
    if isinstance(named.content, Refusal):
        raise ProviderError(
            f"the teacher named no skills ({named.content.reason}: {named.content.detail}): begin a new run "
            "with another teacher, or with --skills derivation"
        )
    skills = named.content

    async def choose(problem: Problem) -> Label:
        watch = Stopwatch()
        chosen = await labeller.choose(problem, skills)
        skill = OTHER if isinstance(chosen.content, Refusal) else chosen.content
        return Label(problem, skill, _rows("choose a skill", chosen, watch, problem.id))

    found: dict[str, Label] = {}
    async for each in context.agents.finished(seeds, choose, context.should_stop):
        found[each.problem.id] = each
        note = context.agents.expenses()
        progress = Progress(round=0, phase="seed", done=len(found), total=len(seeds) + 1, note=note)
        context.listener.advanced(progress)
    labels = [found[seed.id] for seed in seeds]
    return [each.skill for each in labels], [*rows, *(row for each in labels for row in each.rows)]


def _rows(name: str, answer: Answer[object], watch: Stopwatch, problem_id: str | None = None) -> list[Record]:
    calls = calls_to_models(answer.calls, round=0, problem_id=problem_id)
    steps = Stage(0, "seed").step(
        "labeller",
        name,
        watch.read(),
        calls,
        status=calls[-1].status,
        problem=problem_id,
        subject=problem_id or calls[-1].id,
    )
    return [*calls, *steps, *transcripts(answer.calls, calls)]
