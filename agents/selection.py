"""Ranks written problems by how much they are worth teaching, by the policy of `--select`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from fdd.domain import SelectName

SOMETIMES = (0.1, 0.9)
"""Solve rates of problems that teach most: neither out of reach nor known already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What is known of a problem before it is taught."""

    values: Sequence[Fraction | None]
    """The student's answers to it; None for one without a value."""
    right: int
    """How many of them are right."""
    confidence: float
    """Share of the teacher's rationales for it that were accepted."""
    shown: float | None = None
    """Solve rate of the student on other problems of the skill when it sees this one, explained. None if
    it was not asked."""
    alone: float | None = None
    """The same without seeing it."""
    ratio: float | None = None
    """How much likelier a larger model finds the rationale than the untaught student does, in nats per
    character. None if they were not asked."""

    @property
    def solve_rate(self) -> float:
        return self.right / len(self.values)

    @property
    def disagreement(self) -> float:
        """Share of the answers that differ from the most frequent one."""
        [(_, most)] = Counter(self.values).most_common(1)
        return 1 - most / len(self.values)


def worth(policy: SelectName, found: Evidence) -> tuple[float, ...]:
    """Returns a sort key: problems with the highest keys are taught. Further entries break ties."""
    match policy:
        case "sometimes":
            low, high = SOMETIMES
            return low <= found.solve_rate <= high, -found.solve_rate
        case "uncertain":
            return (found.disagreement,)
        case "need":
            return (found.confidence * (1 - found.solve_rate),)
        case "shown":
            return (-inf if found.shown is None else found.shown,)
        case "gain":
            return (-inf if found.shown is None or found.alone is None else found.shown - found.alone,)
        case "likelihood":
            return (-inf if found.ratio is None else found.ratio,)


def because(policy: SelectName, found: Evidence) -> str:
    """Explains the sort key to people."""
    solved = f"the student solved it {found.right} of {len(found.values)} times"
    seen = "its skill has no other problems to ask about"
    if found.shown is not None:
        seen = f"having seen it, the student solved {found.shown:.0%} of other problems"
    match policy:
        case "sometimes":
            return solved
        case "uncertain":
            return f"{found.disagreement:.0%} of the student's answers differ from its most frequent one"
        case "need":
            return f"{solved}, and {found.confidence:.0%} of the teacher's rationales were right"
        case "shown":
            return seen
        case "gain":
            return seen if found.alone is None else f"{seen}, and {found.alone:.0%} without"
        case "likelihood":
            return (
                f"a larger model finds its rationale likelier by {found.ratio or 0:+.2f} nats per character"
            )
