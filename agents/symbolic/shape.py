"""The shape of a derivation as a graph of operations.

After Dziri et al., "Faith and fate" (arXiv 2305.18654).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from fdd.agents.symbolic.derivation import Derivation, Expression, Operation, Result
from fdd.agents.symbolic.reading.parse import derive
from fdd.domain import Problem


@dataclass(frozen=True, slots=True)
class Shape:
    depth: int
    """Operations of the longest chain in which each needs the one before."""
    width: int
    """Most operations at the same depth; none of them needs another."""


@lru_cache(maxsize=10_000)
def shape_of(problem: Problem) -> Shape | None:
    """Returns the shape of the problem's worked solution; None if that cannot be read or has no operation."""
    derivation = derive(problem.question, problem.solution, problem.answer)
    return shape(derivation) if isinstance(derivation, Derivation) else None


def shape(derivation: Derivation) -> Shape | None:
    levels = Counter[int]()
    """Number of operations by the length of the longest chain that ends in them."""
    steps: list[int] = []

    def level(expression: Expression) -> int:
        match expression:
            case Operation(_, left, right):
                found = 1 + max(level(left), level(right))
                levels[found] += 1
                return found
            case Result(index):
                return steps[index]
            case _:
                return 0

    for step in derivation.steps:  # `level` needs the steps before
        steps.append(level(step.expression))  # noqa: PERF401
    return Shape(max(levels), max(levels.values())) if levels else None
