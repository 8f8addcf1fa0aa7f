"""Precision and recall of accepting the answer on which independent solutions agree, by threshold.

    python benchmarks/acceptance.py --problems gsm8k_train.jsonl --limit 200 --teacher openai:gpt-4o-mini

Takes the options of `main.py`. Treats each problem like one that a model wrote: solves it several times
independently and hides its reference answer until the end. Precision is the share of accepted answers that
are right. Recall is the share of all problems that are accepted with the right answer.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fdd.agents.checking.agreement import Vote, agreed
from fdd.agents.statistics import wilson
from fdd.agents.verifier import Verifier
from fdd.domain import Problem
from fdd.errors import UsageError
from fdd.graph.agents import RunAgents, open_agents
from fdd.graph.lesson import LessonContext, LessonState, build_lesson, votes
from fdd.graph.plan import solving_tasks
from fdd.problems.split import prepare
from fdd.settings import Settings, add_options, cache_folder, load_settings

SHARES = (0.51, 0.75, 1.0)
"""Shares of the solutions that must agree: more than half, three quarters, all."""
UNKNOWN = Fraction(-987654321)
"""Replaces every reference answer while problems are solved; no problem should have this answer."""


@dataclass(frozen=True)
class Solved:
    """A problem and the answers that its solutions gave."""

    problem: Problem
    votes: Sequence[Vote]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    add_options(parser)
    settings = load_settings({"rounds": 1, **vars(parser.parse_args())})
    if not settings.roles()["judge"].is_model:
        raise UsageError("independent solutions need a model: --teacher openai:MODEL")
    problems = prepare(settings.problems).seeds
    solved = solve(problems, settings)
    single = [vote.value == each.problem.answer for each in solved for vote in each.votes]
    print(f"single solutions: {describe(sum(single), len(single))} right")
    for share in SHARES:
        found = [(agreed(each.votes, share), each.problem.answer) for each in solved]
        accepted = [answer == value for value, answer in found if value is not None]
        precision, recall = (describe(sum(accepted), whole) for whole in (len(accepted), len(found)))
        counts = f"{len(accepted)} of {len(found)} accepted"
        print(f"agreement {share:.2f}: {counts}; precision {precision}, recall {recall}")


def solve(problems: Sequence[Problem], settings: Settings) -> list[Solved]:
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (
        open_agents(settings, None, run="acceptance", cache=cache) as agents,
        Verifier(workers=settings.workers) as verifier,
    ):
        return agents.run(_solve, problems, settings, agents, verifier)


async def _solve(
    problems: Sequence[Problem], settings: Settings, agents: RunAgents, verifier: Verifier
) -> list[Solved]:
    lesson = build_lesson().compile()
    context = LessonContext(teacher=agents.teacher, verifier=verifier, solver=agents.judge)

    async def give(problem: Problem) -> Solved:
        hidden = LessonState(problem=replace(problem, answer=UNKNOWN), tasks=solving_tasks(settings))
        result = await lesson.ainvoke(hidden, context=context, version="v2")
        return Solved(problem, votes(result.value))

    return [solved async for solved in agents.finished(problems, give, lambda: False)]


def describe(part: int, whole: int) -> str:
    if whole == 0:
        return "0 of 0"
    share = wilson(part, whole)
    return f"{100 * share.accuracy:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


if __name__ == "__main__":
    main()
