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
from fdd.storage.explorer import Item, ItemAnswer

Change = Literal["gained", "lost", ""]


@dataclass(frozen=True, slots=True)
class AnsweredItem:
    """An item of an evaluation set with the students' answers."""

    item: Item
    values: Mapping[int, Fraction | None]
    """The value that the policy chose, by round; rounds that have not answered the item are missing."""

    def change(self, before: int, after: int) -> Change:
        if before not in self.values or after not in self.values:
            return ""
        was, is_right = (self.values[round] == self.item.answer for round in (before, after))
        return "" if was == is_right else "gained" if is_right else "lost"


def answered_items(
    items: Sequence[Item], answers: Sequence[ItemAnswer], settings: Settings
) -> list[AnsweredItem]:
    """Chooses the value of each student's answers to each item with the run's policy, as evaluations do.

    While a student is being asked, items that its policy will ask again have no value yet.
    """
    values: defaultdict[str, defaultdict[int, dict[Ask, Fraction | None]]]
    values = defaultdict(lambda: defaultdict(dict))
    for answer in answers:
        values[answer.problem_id][answer.round][Ask(answer.thought, answer.sample)] = answer.value
    found = []
    for item in items:
        by_round = [(round, policy_at(round, settings), given) for round, given in values[item.id].items()]
        chosen = {round: policy.choose(given) for round, policy, given in by_round if not policy.next(given)}
        found.append(AnsweredItem(item, chosen))
    return found
