"""Plans the work of a run for its agents, and forecasts the calls to models before any is made."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, fsum
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

from fdd.agents.checking.agreement import LEAST_THOUGHTS
from fdd.agents.labeller import MOST
from fdd.agents.labeller import conversation as labelling
from fdd.agents.models.prices import find_price
from fdd.agents.models.prompting import Conversation
from fdd.agents.models.provider import full_name
from fdd.agents.synthesizer import Wanted
from fdd.agents.synthesizer import conversation as writing
from fdd.agents.teacher import conversation as teaching
from fdd.domain import Operator, Problem
from fdd.graph.curriculum import problems_per_round
from fdd.graph.lesson import Task
from fdd.graph.state import RunContext
from fdd.problems.config import SPARE, ProblemSettings
from fdd.problems.split import ProblemSets
from fdd.settings import Settings
from fdd.storage.summary import usage_by_agent

SECOND_OPINIONS = ("pot", "cot")
"""Formats added for checking a proposed answer, if the student is taught too few formats."""
MOST_AT_FIRST = 10 / 11
"""Largest share of the seeds that the initial set may take to include a problem of every template."""
SPECIMENS = 20
"""Problems whose prompts are built to estimate the length of prompts."""
NAME = 40
"""Characters of a reply that names a skill."""
LABELS = (NAME * "x",) * MOST
"""In place of the names of skills, which are not known yet."""
CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text, for agents of which no call has been measured yet."""
AGENTS = {
    "teacher": "teacher",
    "synthesizer": "synthesizer",
    "judge": "verifier",
    "labeller": "labeller",
}
"""The agent name under which the calls of each role are counted. The labeller is the teacher's model."""


class Tokens(NamedTuple):
    """Average tokens of one call."""

    prompt: float
    completion: float


@dataclass(frozen=True, kw_only=True)
class Expense:
    """Forecast of the calls of one agent in one round, without repairs or retries."""

    round: int
    agent: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None if the model's price is unknown."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Forecast of a run before it begins."""

    problems: Mapping[str, int]
    """Number of problems by part: `seeds of round 0`, `dev`, `in-domain`, ..."""
    expenses: tuple[Expense, ...]
    """Of all agents that are models but the expert, who is asked nobody knows how often."""
    expert: str = ""
    """The name of the expert, if it is a model."""


class Growth(NamedTuple):
    """Numbers of problems in the training set of one round."""

    known: int
    """Seeds that are new in this round."""
    children: int
    """Problems written for this round. With `--overgenerate` not all of them are taught."""
    total: int
    """All problems of the set, including those of earlier rounds."""


def spacious(settings: Settings) -> ProblemSettings:
    """Returns the problem settings with a limit that leaves enough seeds for the rounds of `--adds seeds`."""
    problems = settings.problems
    if settings.adds != "seeds" or problems.limit is None:
        return problems
    spare = settings.rounds * SPARE * problems_per_round(settings, problems.limit)
    return replace(problems, limit=problems.limit + spare)


def share(seeds: Sequence[Problem], settings: Settings) -> list[Problem]:
    """Assigns each seed the round that first teaches it: round 0, unless later rounds need seeds as well.

    With `--adds seeds` those beyond the limit are for later rounds. With `--allocation each` later rounds
    probe seeds before any student is trained on them. Their templates should have been taught by then, so the
    first problem of each template comes before the second problem of any template.
    """
    first = len(seeds)
    if settings.allocation == "each" and settings.rounds:
        before: Counter[str] = Counter()
        ranks = []
        for problem in seeds:
            ranks.append(before[problem.template])
            before[problem.template] += bool(problem.template)
        first = initial_seeds(ranks.count(0), len(seeds), settings)
        seeds = [problem for _, problem in sorted(zip(ranks, seeds, strict=True), key=lambda pair: pair[0])]
    elif settings.adds == "seeds":
        first = min(settings.problems.limit or len(seeds), len(seeds))
    rounds = [0] * first
    for number, size in later_seeds(len(seeds) - first, settings.rounds).items():
        rounds += [number] * size
    return [replace(problem, round=number) for problem, number in zip(seeds, rounds, strict=True)]


def initial_seeds(templates: int, seeds: int, settings: Settings) -> int:
    """Returns the number of seeds in the initial set.

    `templates` counts the seeds that are the first of their template or that have none.
    """
    if settings.initial_share is not None:
        return max(1, round(settings.initial_share * seeds))
    even = max(1, round(seeds / (settings.rounds + 1)))
    if settings.rounds == 0 or templates == seeds:  # seeds without templates, or one seed per template
        return even
    return max(even, min(templates, int(MOST_AT_FIRST * seeds)))


def later_seeds(seeds: int, rounds: int) -> dict[int, int]:
    """Returns the number of seeds of each later round. The numbers differ by one at most."""
    ends = [ceil(seeds * number / rounds) for number in range(1, rounds + 1)]
    return {number: end - begin for number, (begin, end) in enumerate(pairwise([0, *ends]), start=1)}


def explaining_tasks(settings: Settings) -> tuple[Task, ...]:
    """Returns the tasks for a problem whose answer is known: one rationale in each thought."""
    return tuple(Task(thought=name) for name in settings.thoughts)


def solving_tasks(settings: Settings) -> tuple[Task, ...]:
    """Returns the tasks for a problem whose answer is only proposed: independent solutions, spread over the
    thoughts in turn.
    """
    thoughts = list(dict.fromkeys((*settings.thoughts, *SECOND_OPINIONS)))
    thoughts = thoughts[: max(LEAST_THOUGHTS, len(settings.thoughts))]
    return tuple(
        Task(thought=thoughts[i % len(thoughts)], sample=i // len(thoughts))
        for i in range(settings.solutions)
    )


def preview(settings: Settings, sets: ProblemSets) -> Preview:
    """Forecasts the problems of a run and its calls to models."""
    seeds = share(sets.seeds, settings)
    rounds = Counter(f"seeds of round {problem.round}" for problem in seeds)
    tests = {name: len(problems) for name, problems in sets.evaluation_sets.items()}
    expenses = [row for number in range(settings.rounds + 1) for row in foresee(number, settings, seeds)]
    expert = settings.roles().get("expert")
    name = full_name(expert.name, expert.url) if expert and expert.is_model else ""
    return Preview(problems={**rounds, **tests}, expenses=tuple(expenses), expert=name)


def announce(round: int, context: RunContext) -> None:
    """Tells the listener the forecast of the calls of a round that is about to begin."""
    if not context.agents.clients:
        return
    seeds = context.store.problems(splits=["seed"])
    rows = foresee(round, context.settings, seeds, _measured(context))
    if not rows:  # only the expert is a model, and nobody knows how often it is asked
        return
    tokens = sum(row.prompt_tokens + row.completion_tokens for row in rows)
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    money = f"${fsum(costs):.2f}" if len(costs) == len(rows) else "at an unknown price"
    calls = sum(row.calls for row in rows)
    context.listener.noticed(f"round {round} will take about {calls} calls, {tokens} tokens, {money}")


def foresee(
    round: int,
    settings: Settings,
    seeds: Sequence[Problem],
    measured: Mapping[str, Tokens] = MappingProxyType({}),
) -> list[Expense]:
    """Forecasts the calls of one round, assuming that every parent gets a child. Seeds carry their rounds.

    For an agent without measured calls, prompts are assumed to be as long as those for the first `SPECIMENS`
    seeds, and replies as long as the examples in the prompts. Agents that are not models are left out.
    """
    roles, rows = settings.roles(), []
    for part, calls in _count_calls(round, settings, seeds).items():
        role, agent = roles.get(part, roles["teacher"]), AGENTS[part]
        if not (role.is_model and calls):
            continue
        each = measured.get(agent) or _estimate(_specimens(part, settings, seeds[:SPECIMENS]))
        prompt_tokens, completion_tokens = (ceil(calls * tokens) for tokens in each)
        model = full_name(role.name, role.url)
        price = find_price(model, role.url, settings.calls)
        rows.append(
            Expense(
                round=round,
                agent=agent,
                model=model,
                calls=calls,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                cost_usd=price.cost(prompt_tokens, completion_tokens) if price else None,
            )
        )
    return rows


def growth(settings: Settings, seeds: Mapping[int, int]) -> list[Growth]:
    """Forecasts the training set of each round from its number of seeds, if all planned is written."""
    first = seeds.get(0, 0) if settings.taught is None else min(seeds.get(0, 0), settings.taught)
    rounds = [Growth(known=first, children=0, total=first)]
    for number in range(1, settings.rounds + 1):
        known, before = seeds.get(number, 0), rounds[-1]
        if settings.allocation != "each":
            added = problems_per_round(settings, first)
            written = ceil(settings.overgenerate * added)
            known, children = (added, 0) if settings.adds == "seeds" else (0, written)
            rounds.append(Growth(known=known, children=children, total=before.total + added))
            continue
        # Parents are the seeds of this round and the children of the round before; with `reprobe`, everything
        # taught before.
        children = known + (before.total if settings.reprobe else before.children)
        rounds.append(Growth(known=known, children=children, total=before.total + known + children))
    return rounds


def count_calls(settings: Settings, planned: Growth) -> dict[str, int]:
    """Forecasts the calls of one round by role, without those of the labeller."""
    explaining, solving = len(explaining_tasks(settings)), len(solving_tasks(settings))
    known, children = planned.known, planned.children
    if settings.roles()["synthesizer"].is_model:
        return {"synthesizer": children, "judge": children * solving, "teacher": known * explaining}
    return {"teacher": (known + children) * explaining}


def _count_calls(round: int, settings: Settings, seeds: Sequence[Problem]) -> dict[str, int]:
    planned = growth(settings, Counter(problem.round for problem in seeds))[round]
    labelled = len(seeds) + 1 if settings.skills == "model" and round == 0 else 0
    return {"labeller": labelled, **count_calls(settings, planned)}


def _specimens(part: str, settings: Settings, problems: Sequence[Problem]) -> list[Conversation]:
    """Builds the prompts that the agent in this role would be sent for these problems."""
    if part == "labeller":
        return [labelling(problem, LABELS) for problem in problems]
    if part == "synthesizer":
        chance = random.Random(0)
        wanted = [Wanted(parent=problem, operator=operator) for problem in problems for operator in Operator]
        return [writing(each, chance) for each in wanted]
    task, tasks = ("solve", solving_tasks) if part == "judge" else ("explain", explaining_tasks)
    return [teaching(task, problem, each.thought) for problem in problems for each in tasks(settings)]


def _estimate(sent: Sequence[Conversation]) -> Tokens:
    prompts = [sum(len(turn.content) for turn in each.messages) for each in sent]
    replies = [len(turn.content) for each in sent for turn in each.messages if turn.role == "assistant"]
    # A prompt without examples asks for a name.
    return Tokens(fmean(prompts) / CHARACTERS_PER_TOKEN, fmean(replies or [NAME]) / CHARACTERS_PER_TOKEN)


def _measured(context: RunContext) -> dict[str, Tokens]:
    """Returns the average tokens per call of each agent in this run so far."""
    rows = defaultdict(list)
    for row in context.store.read(usage_by_agent):
        rows[row["agent"]].append(row)
    return {
        agent: Tokens(
            sum(row["prompt_tokens"] for row in used) / sum(row["calls"] for row in used),
            sum(row["completion_tokens"] for row in used) / sum(row["calls"] for row in used),
        )
        for agent, used in rows.items()
        if any(row["prompt_tokens"] for row in used)
    }
