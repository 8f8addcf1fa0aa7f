"""What is taught and probed when: seeds by round, siblings for probes, and the plan of what to write next."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean

from fdd.agents.allocation import allocate, harder_ones, needs_simpler
from fdd.agents.profile import Belief, Probed, profile
from fdd.agents.skills import sub_skill
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.symbolic.varying.harder import harder
from fdd.agents.symbolic.varying.similar import similar
from fdd.agents.synthesizer import Attempt
from fdd.domain import Draft, Operator, Problem, problem_id
from fdd.matching import exact_form
from fdd.settings import Settings
from fdd.storage.records import SIBLING, AttemptRecord, ProblemRecord
from fdd.storage.store import Store
from fdd.storage.summary import probed_skills

WRITER = "symbolic"
"""The agent that writes siblings and harder test problems, whoever writes what is taught."""
TRIES = 4
"""Most drafts, for each wanted sibling or seed of the skill."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a round adds to one skill."""

    problems: int
    harder: int = 0
    """How many of them are harder; the others are similar."""
    simpler: bool = False
    """Whether every second one of the others is simpler. Simpler problems alone teach to stop halfway."""

    def operators(self) -> list[Operator]:
        """Returns the operator of each problem."""
        by_turns = (Operator.SIMPLER if self.simpler else Operator.SIMILAR, Operator.SIMILAR)
        others = [by_turns[number % 2] for number in range(self.problems - self.harder)]
        return [*others, *[Operator.HARDER] * self.harder]


def write_siblings(
    seeds: Sequence[Problem], settings: Settings, taken: set[str]
) -> tuple[list[ProblemRecord], list[Problem]]:
    """Writes the probes of every round and skill: seeds with other numbers, in a split that is never taught.

    Returns them, and the seeds that remain to be taught. A skill whose seeds cannot be varied gives up its
    last seed, which is then probed in every round, unless it has only one. `taken` has the exact forms of all
    questions so far, and gets those of the siblings.
    """
    by_skill: defaultdict[str, list[Problem]] = defaultdict(list)
    for seed in seeds:
        by_skill[seed.skill].append(seed)
    siblings: list[ProblemRecord] = []
    held_back: set[str] = set()
    for members in by_skill.values():
        found = [
            sibling
            for round in range(settings.rounds)
            for sibling in _siblings_of(members, round, settings, taken)
        ]
        siblings += found
        if not found and len(members) > 1:
            held_back.add(members[-1].id)
            siblings.append(ProblemRecord.of(members[-1], split=SIBLING))
    return siblings, [seed for seed in seeds if seed.id not in held_back]


def write_siblings_of_grown_skills(store: Store, round: int, settings: Settings) -> list[ProblemRecord]:
    """Writes the probes of the skills that other skills have grown in this round, for this round and those
    after it, from the problems that are taught. A skill whose problems cannot be varied gets none.
    """
    problems = store.problems()
    known = {problem.skill for problem in problems if problem.split in ("seed", SIBLING)}
    taken = {exact_form(problem.question) for problem in problems}
    grown = _by_skill(
        lesson.problem for lesson in store.training_set(round=round) if lesson.problem.skill not in known
    )
    return [
        sibling
        for members in grown.values()
        for later in range(round, settings.rounds)
        for sibling in _siblings_of(members, later, settings, taken)
    ]


def _by_skill(problems: Iterable[ProblemRecord]) -> dict[str, list[ProblemRecord]]:
    """Groups the problems, without copies, in the order of their ids."""
    found: defaultdict[str, list[ProblemRecord]] = defaultdict(list)
    for problem in sorted({problem.id: problem for problem in problems}.values(), key=lambda each: each.id):
        found[problem.skill].append(problem)
    return dict(found)


def _siblings_of(
    members: Sequence[Problem], round: int, settings: Settings, taken: set[str]
) -> Iterator[ProblemRecord]:
    """Yields `settings.siblings` variants of these seeds, of different seeds where there are as many."""
    rng = random.Random(f"siblings {settings.seed} {round} {members[0].skill}")
    order = rng.sample(members, len(members))
    wanted = settings.siblings
    for number in range(TRIES * max(wanted, len(order))):
        if not wanted:
            return
        if draft := _varied(order[number % len(order)], rng):
            form = exact_form(draft.question)
            if form not in taken:
                taken.add(form)
                wanted -= 1
                sibling = child_of(order[number % len(order)], draft, Operator.SIMILAR, round)
                yield ProblemRecord.of(sibling, split=SIBLING, agent=WRITER)


def write_harder(problems: Sequence[Problem], size: int, seed: int, taken: set[str]) -> list[Problem]:
    """Makes up to `size` problems harder, in order, for a test set. Problems that cannot be are left out."""
    rng = random.Random(f"harder {seed}")
    found: list[Problem] = []
    for problem in problems:
        derivation = derive(problem.question, problem.solution, problem.answer)
        if len(found) < size and isinstance(derivation, Derivation):
            draft = harder(problem, derivation, problems, rng)
            if isinstance(draft, Draft) and exact_form(draft.question) not in taken:
                taken.add(exact_form(draft.question))
                found.append(child_of(problem, draft, Operator.HARDER, 0))
    return found


def _varied(problem: Problem, rng: random.Random) -> Draft | None:
    derivation = derive(problem.question, problem.solution, problem.answer)
    draft = similar(problem, derivation, rng) if isinstance(derivation, Derivation) else None
    return draft if isinstance(draft, Draft) else None


def child_of(parent: Problem, draft: Draft, operator: Operator, round: int) -> Problem:
    """Returns the draft as a problem; source, template and skill are those of its parent."""
    return replace(
        parent,
        id=problem_id(draft.question, draft.answer),
        question=draft.question,
        answer=draft.answer,
        solution=draft.solution,
        parent=parent.id,
        operator=operator,
        round=round,
    )


def beliefs(store: Store, round: int) -> dict[str, Belief]:
    """Returns the skill profile after the probes of a round, with every skill that has a seed."""
    probes = [Probed(**row) for row in store.read(probed_skills)]
    known = {probe.skill for probe in probes}
    unprobed = {problem.skill for problem in store.problems(splits=["seed"])} - known
    probes += [Probed(round=0, skill=skill, n=0, correct=0) for skill in unprobed]
    return profile(probes, round)


def plan(store: Store, round: int, settings: Settings) -> dict[str, Share]:
    """Divides the budget of the next round over the skills, and says how each one's problems are varied."""
    now, before = beliefs(store, round), beliefs(store, round - 1) if round else {}
    chance = random.Random(f"allocation {settings.seed} {round}")
    budget = ceil(settings.overgenerate * round_budget(store, settings))
    counts = allocate(settings.allocation, now, before, budget, chance)
    if settings.operators in ("similar", "harder"):
        only_harder = settings.operators == "harder"
        return {skill: Share(number, harder=only_harder * number) for skill, number in counts.items()}
    overall, harder = fmean(belief.mean for belief in now.values()), harder_ones(counts, now)
    if settings.grow_skills:  # a skill that has grown one is no longer where harder problems belong
        harder = {skill: 0 if sub_skill(skill) in now else number for skill, number in harder.items()}
    shares = {
        skill: Share(counts[skill], harder[skill], needs_simpler(belief, overall))
        for skill, belief in now.items()
    }
    if settings.operators != "shuffled":
        return shares
    dealt = chance.sample(list(shares.values()), len(shares))
    return dict(zip(shares, dealt, strict=True))


def attempts_to_show(store: Store, round: int, settings: Settings) -> dict[str, list[Attempt]]:
    """Returns the student's answers to this round's probes that the writer of new problems may see.

    They are listed by what is probed: the skill or, with `--allocation each`, the id of the problem.
    """
    if settings.show_attempts == "none":
        return {}
    problems = {problem.id: problem for problem in store.problems()}
    found: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in store.attempts(round=round, purpose="probe"):
        if attempt.reason.accepted == (settings.show_attempts == "right"):
            problem = problems[attempt.problem_id]
            key = problem.id if settings.allocation == "each" else problem.skill
            shown = Attempt(question=problem.question, text=attempt.text, verdict=_result(attempt, problem))
            found[key].append(shown)
    if settings.show_attempts != "shuffled":
        return dict(found)
    dealt = random.Random(f"attempts {settings.seed} {round}").sample(list(found.values()), len(found))
    return dict(zip(found, dealt, strict=True))


def _result(attempt: AttemptRecord, problem: Problem) -> str:
    if attempt.reason.accepted:
        return "right"
    gives = "" if attempt.value is None else f": it gives {write_plain(attempt.value)}"
    return f"{attempt.reason.replace('_', ' ')}{gives}; right is {write_plain(problem.answer)}"


def problems_per_round(settings: Settings, seeds: int) -> int:
    """Returns the number of problems that a round teaches beside those before: as many as there are seeds,
    unless it is set.
    """
    return seeds if settings.budget is None else settings.budget


def round_budget(store: Store, settings: Settings) -> int:
    """Returns `problems_per_round` of a run whose seeds are in the store."""
    seeds = sum(problem.round == 0 for problem in store.problems(splits=["seed"]))
    return problems_per_round(settings, seeds)


def parents_by_skill(store: Store, round: int) -> dict[str, list[ProblemRecord]]:
    """Returns the problems from which those of each skill are written after this round: its seeds or, if it
    has none because another skill has grown it, what is taught of it. Rejected ones are left out.
    """
    rejected = {rejection.problem_id for rejection in store.rejections()}
    seeds = [problem for problem in store.problems(splits=["seed"]) if problem.round == 0]
    seeded = {problem.skill for problem in seeds}
    taught = [lesson.problem for lesson in store.training_set(round=round)]
    parents = [*seeds, *(problem for problem in taught if problem.skill not in seeded)]
    return _by_skill(problem for problem in parents if problem.id not in rejected)
