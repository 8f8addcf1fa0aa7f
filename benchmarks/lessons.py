"""Shared by the benchmarks: questions with the teacher's programs, and a comparison of speeds."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import thought
from fdd.domain import Problem
from fdd.problems.gsm_symbolic import GsmSymbolic
from fdd.training.tasks import Example

REPETITIONS = 3

Contest = Mapping[str, Callable[[], float]]
"""By name, a function that does the work once and returns tokens per second."""


def load_examples(size: int) -> list[Example]:
    source = GsmSymbolic(seed=0)
    # Twice as many as needed, as the symbolic teacher cannot explain all of them.
    problems = source.draw(source.templates, 2 * size, refuse=lambda _: None, chance=random.Random(0))
    cue = thought("pot").cue
    examples = [
        Example(question=problem.question, cue=cue, rationale=program)
        for problem, program in programs(problems)
    ]
    return examples[:size]


def programs(problems: Iterable[Problem]) -> Iterator[tuple[Problem, str]]:
    """Yields each problem that the symbolic teacher can explain, with its program."""
    for problem in problems:
        derivation = derive(problem.question, problem.solution, problem.answer)
        if isinstance(derivation, Derivation):
            yield problem, thought("pot").render(derivation)


def compare(contest: Contest) -> None:
    """Prints each one's median of `REPETITIONS` turns, and how many times as fast the first one is.

    They take turns, so that whatever else the machine does slows all of them alike.
    """
    speeds: dict[str, list[float]] = {name: [] for name in contest}
    for _ in range(REPETITIONS):
        for name, once in contest.items():
            speeds[name].append(once())
    ours = statistics.median(next(iter(speeds.values())))
    for name, found in speeds.items():
        median = statistics.median(found)
        turns = ", ".join(f"{speed:.0f}" for speed in found)
        print(f"{name:<50} {median:>7.0f} tokens/s   ours is {ours / median:4.2f} times as fast   ({turns})")
