"""Seed: reads the problems, checks the grader on their answers, and assigns each seed its round."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from langgraph.runtime import Runtime

from fdd.agents.skills import skills_of
from fdd.agents.thoughts import thought
from fdd.domain import Progress
from fdd.graph.curriculum import write_harder, write_siblings
from fdd.graph.exam import check_grader
from fdd.graph.journal import kept_out
from fdd.graph.labels import label
from fdd.graph.plan import share, spacious
from fdd.graph.state import RunContext, RunState, RunUpdate
from fdd.matching import exact_form
from fdd.problems.contamination import HARDER, IN_DOMAIN
from fdd.problems.split import ProblemSets, prepare
from fdd.storage.records import ProblemRecord, Record, evaluation_split
from fdd.training.tasks import CheckTask, Example, Request


def seed(state: RunState, runtime: Runtime[RunContext]) -> RunUpdate:
    context, settings = runtime.context, runtime.context.settings
    context.listener.advanced(Progress(round=state.round, phase="seed", done=0, total=1))
    sets = prepare(spacious(settings))
    taken = {
        exact_form(problem.question)
        for problems in (sets.seeds, *sets.evaluation_sets.values(), *sets.unasked.values())
        for problem in problems
    }
    in_domain = sets.tests[IN_DOMAIN]
    if made := write_harder(in_domain, settings.problems.harder_size, settings.seed, taken):
        sets = replace(sets, tests={**sets.tests, HARDER: tuple(made)})
    for name, problems in {"seeds": sets.seeds, **sets.evaluation_sets}.items():
        check_grader(context.verifier, name, problems)
    _check_positions(sets, context)
    records: list[Record] = []
    if settings.skills == "model":
        skills, records = context.agents.run(label, sets.seeds, context)
    else:
        skills = skills_of(sets.seeds, settings.skills)
    seeds = [replace(each, skill=skill) for each, skill in zip(sets.seeds, skills, strict=True)]
    if settings.allocation != "each":
        # Written even where nobody is probed, so that a control is taught the same seeds as its run.
        limit = settings.problems.limit or len(seeds)
        siblings, first = write_siblings(seeds[:limit], settings, taken)
        records += siblings
        seeds = [*first, *seeds[limit:]]
        settings = replace(settings, problems=replace(settings.problems, limit=len(first)))
    seeds = share(seeds, settings)
    records += [ProblemRecord.of(problem, split="seed") for problem in seeds]
    for name, problems in sets.evaluation_sets.items():
        records += [ProblemRecord.of(problem, split=evaluation_split(name)) for problem in problems]
    for name, problems in sets.unasked.items():
        split = evaluation_split(name, asked=False)
        records += [ProblemRecord.of(problem, split=split) for problem in problems]
    context.store.add([*records, *(kept_out(leak, round=0) for leak in sets.leaks)])
    note = ", ".join(f"{len(problems)} {name}" for name, problems in sets.evaluation_sets.items())
    context.listener.advanced(
        Progress(round=state.round, phase="seed", done=1, total=1, note=f"{len(seeds)} seeds, {note}")
    )
    return {"removed": dict(sets.removed)}


def _check_positions(sets: ProblemSets, context: RunContext) -> None:
    """Raises `StudentError` if the longest question is too long for the student.

    The check puts the shortest possible worked examples before it, since the real ones are not written yet.
    """
    settings = context.settings
    cue = thought(settings.thoughts[0]).cue
    shortest = sorted((problem.question for problem in sets.seeds), key=len)[: settings.shots]
    request = Request(
        key="longest",
        question=max((each.question for each in chain(*sets.evaluation_sets.values())), key=len),
        cue=cue,
        shots=tuple(Example(question=question, cue=cue, rationale="") for question in shortest),
    )
    for student in filter(None, (context.base, context.solver)):
        task = CheckTask(student=student, device=settings.device, requests=(request,))
        context.engine.run(task, lambda _: None, context.should_stop)
