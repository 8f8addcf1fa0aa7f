"""The evaluator's decisions: how a student is asked, which answer counts, what is difficult, what did harm.

The exams themselves are held by `graph.exam`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.statistics import HARM_LEVEL, mcnemar, visible_loss
from fdd.domain import Band, PolicyName


@dataclass(frozen=True, slots=True)
class Ask:
    """One way to ask a question: the thought to answer in, and the number of the sample."""

    thought: str
    sample: int = 0


Values = Mapping[Ask, Fraction | None]
"""The ways in which one question was asked so far, with the value of each answer; None for no value."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Takes the first value; asks in the next way only if all ways before gave none."""

    asks: tuple[Ask, ...]
    """Everything that may be asked, in order."""

    def next(self, values: Values) -> tuple[Ask, ...]:
        """What to ask next, in one batch; empty when the answer is decided."""
        return _unasked(self.asks, values)[:1] if self.choose(values) is None else ()

    def choose(self, values: Values) -> Fraction | None:
        """The student's answer; None if it has none."""
        return next((value for value in _in_order(self.asks, values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Majority:
    """Asks in every way and takes the value given most often.

    With samples of one thought this is self-consistency (Wang et al., arXiv 2203.11171).
    """

    asks: tuple[Ask, ...]
    early: bool = False
    """Whether to stop asking when no remaining answer could change the value, which is the idea of
    Adaptive-Solver (Zhou et al., arXiv 2310.01446)."""

    def next(self, values: Values) -> tuple[Ask, ...]:
        unasked = _unasked(self.asks, values)
        if not self.early:
            return unasked
        # As many as are needed even if all agree: asking one by one would need as many, in more batches.
        return unasked[: fewest_to_decide(_in_order(self.asks, values), len(unasked))]

    def choose(self, values: Values) -> Fraction | None:
        return most_given(_in_order(self.asks, values))

    def is_sure(self, values: Values) -> bool:
        """Whether the chosen value came from more than half of all the ways, asked or not."""
        given, chosen = list(values.values()), self.choose(values)
        return chosen is not None and 2 * given.count(chosen) > len(self.asks)


Policy = Fallback | Majority
"""How one question is asked; a policy never sees the reference answer."""


def policy_of(name: PolicyName, thoughts: Sequence[str], samples: int) -> Policy:
    """Returns the policy of this name for a student that is taught these thoughts, the main one first."""
    once = tuple(Ask(each) for each in thoughts)
    match name:
        case "single":
            return Majority(once[:1])
        case "fallback":
            return Fallback(once)
        case "vote":
            return Majority(once)
        case "samples":
            return Majority(samples_of(thoughts[0], samples), early=True)


def samples_of(thought: str, number: int) -> tuple[Ask, ...]:
    return tuple(Ask(thought, sample) for sample in range(number))


def most_given(values: Iterable[Fraction | None]) -> Fraction | None:
    """The value given most often, and of those the one given first; None has no vote."""
    votes = Counter(value for value in values if value is not None)
    # `most_common` keeps equal counts in the order of their first vote.
    return votes.most_common(1)[0][0] if votes else None


def is_decided(values: Sequence[Fraction | None], left: int) -> bool:
    """Whether the most frequent value stays the same for any `left` further answers."""
    winner = most_given(values)
    given = {value for value in values if value is not None}
    # Differs from all values given, as its magnitude is larger.
    newcomer = sum(map(abs, given), Fraction(1))
    # A rival has its best chance if it gets all remaining answers.
    return all(most_given([*values, *[rival] * left]) == winner for rival in (*given, newcomer))


def fewest_to_decide(values: Sequence[Fraction | None], left: int) -> int:
    """The fewest of the `left` further answers after which the vote can be decided; 0 if it is decided."""
    # A vote is decided soonest if all further answers agree with the present winner.
    winner = most_given(values)
    hoped = Fraction(0) if winner is None else winner
    return next(more for more in range(left + 1) if is_decided([*values, *[hoped] * more], left - more))


def _in_order(asks: tuple[Ask, ...], values: Values) -> list[Fraction | None]:
    return [values[ask] for ask in asks if ask in values]


def _unasked(asks: tuple[Ask, ...], values: Values) -> tuple[Ask, ...]:
    return tuple(ask for ask in asks if ask not in values)


def band(correct: int, n: int) -> Band:
    """Easy from a posterior mean of 0.6, hard up to 0.4; one greedy sample gives 2/3 or 1/3, never mixed."""
    # In integers, so that means of exactly 0.6 and 0.4 are decided without rounding.
    if 5 * (correct + 1) >= 3 * (n + 2):
        return Band.EASY
    if 5 * (correct + 1) <= 2 * (n + 2):
        return Band.HARD
    return Band.MIXED


def is_harm(gained: int, lost: int) -> bool:
    """Whether more problems were lost than gained, and by more than chance explains."""
    return lost > gained and mcnemar(gained, lost) <= HARM_LEVEL


def blind_spot(n: int, correct: int) -> str:
    """A warning if n problems cannot show the loss of half of the student's accuracy; empty otherwise."""
    loss = visible_loss(n, correct / n)
    if loss is not None and loss <= correct / n / 2:
        return ""
    seen = (
        "cannot see any loss" if loss is None else f"can only see a loss of {100 * loss:.0f} points or more"
    )
    return (
        f"The dev set of {n} {seen} with a power of 80 %, since the student before has {correct} right: "
        "rounds that do harm may be kept. A larger --dev-size sees more."
    )
