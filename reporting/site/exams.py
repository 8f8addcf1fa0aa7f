"""Which students answered which items of an evaluation set correctly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fdd.agents.evaluator import Ask
from fdd.rundir.answers import policy_at
from fdd.settings import Settings
from fdd.storage.explorer import EvaluationItems, Item

Show = Literal["all", "flipped", "gained", "lost"]


@dataclass(frozen=True, slots=True)
class Marked:
    """An item of an evaluation set with each student's result."""

    item: Item
    right: Mapping[int, bool]
    """Whether the answer is right, by round; rounds that have not answered it are missing."""
    values: Mapping[int, Fraction | None]
    """The value that the policy chose, by round."""

    def change(self, before: int, after: int) -> Literal["gained", "lost", ""]:
        if before not in self.right or after not in self.right:
            return ""
        match self.right[before], self.right[after]:
            case (False, True):
                return "gained"
            case (True, False):
                return "lost"
        return ""


def mark_items(found: EvaluationItems, settings: Settings) -> list[Marked]:
    """Marks every item as the evaluation does: by the value that the run's policy chooses.

    While a student is being asked, items that its policy will ask again have no mark yet.
    """
    values: defaultdict[str, defaultdict[int, dict[Ask, Fraction | None]]]
    values = defaultdict(lambda: defaultdict(dict))
    for answer in found.answers:
        values[answer.problem_id][answer.round][Ask(answer.thought, answer.sample)] = answer.value
    marked = []
    for item in found.items:
        policies = {round: policy_at(round, settings) for round in sorted(values[item.id])}
        chosen = {
            round: policy.choose(values[item.id][round])
            for round, policy in policies.items()
            if not policy.next(values[item.id][round])
        }
        right = {round: value == item.answer for round, value in chosen.items()}
        marked.append(Marked(item, right, chosen))
    return marked


def rounds_of(marked: Sequence[Marked]) -> list[int]:
    """Returns the rounds whose student has answered any of these items."""
    return sorted({round for each in marked for round in each.right})


def whole_rounds(marked: Sequence[Marked]) -> list[int]:
    """Returns the rounds whose student has answered all of these items.

    The untaught student's round is always included: it is asked only a part of them.
    """
    return [round for round in rounds_of(marked) if round < 0 or all(round in each.right for each in marked)]


def select(marked: Sequence[Marked], show: Show, before: int, after: int) -> list[Marked]:
    if show == "all":
        return list(marked)
    wanted = ("gained", "lost") if show == "flipped" else (show,)
    return [each for each in marked if each.change(before, after) in wanted]
