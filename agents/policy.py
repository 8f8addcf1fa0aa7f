"""What a student is asked at inference, and which of its answers counts: pure decisions, nobody is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ask:
    """One way to put a question: the thought to answer in, and which of several samples it is."""

    thought: str
    sample: int = 0


Values = Mapping[Ask, Fraction | None]
"""How one question was asked so far, and the value that came of each; None where none did."""


class Policy(Protocol):
    """Decides for one question; it never sees the reference answer."""

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Everything that it may ask, in its order."""
        ...

    def next(self, values: Values) -> tuple[Ask, ...]:
        """What to ask now, all at once; nothing where it is decided."""
        ...

    def choose(self, values: Values) -> Fraction | None:
        """The student's answer; None where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Fallback:
    """The first way that gives a value; the next one is asked only where those before gave none."""

    asks: tuple[Ask, ...]

    def next(self, values: Values) -> tuple[Ask, ...]:
        return _unasked(self.asks, values)[:1] if self.choose(values) is None else ()

    def choose(self, values: Values) -> Fraction | None:
        return next((value for value in _in_order(self.asks, values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Majority:
    """Every way is asked, and the majority counts.

    Over samples of one thought this is self-consistency (Wang et al., arXiv 2203.11171).
    """

    asks: tuple[Ask, ...]

    def next(self, values: Values) -> tuple[Ask, ...]:
        return _unasked(self.asks, values)

    def choose(self, values: Values) -> Fraction | None:
        return most_given(_in_order(self.asks, values))


@dataclass(frozen=True, slots=True)
class EarlyMajority:
    """Comes to the same as `Majority`, but stops asking once no answer that is left could change it.

    That consistency tells when to stop is the idea of Adaptive-Solver (Zhou et al., arXiv 2310.01446).
    """

    asks: tuple[Ask, ...]

    def next(self, values: Values) -> tuple[Ask, ...]:
        """As many as must be asked even if all agree: one by one would be no fewer, and take more turns."""
        unasked = _unasked(self.asks, values)
        return unasked[: fewest_to_decide(_in_order(self.asks, values), len(unasked))]

    def choose(self, values: Values) -> Fraction | None:
        return most_given(_in_order(self.asks, values))


def samples_of(thought: str, number: int) -> tuple[Ask, ...]:
    return tuple(Ask(thought, sample) for sample in range(number))


def most_given(values: Iterable[Fraction | None]) -> Fraction | None:
    """The value given most often, of equals the one given first; what gives no value has no vote."""
    votes = Counter(value for value in values if value is not None)
    # `most_common` leaves equals in the order in which they came.
    return votes.most_common(1)[0][0] if votes else None


def is_decided(values: Sequence[Fraction | None], left: int) -> bool:
    """Whether the majority stays the same whatever the answers that are left say."""
    winner = most_given(values)
    given = {value for value in values if value is not None}
    newcomer = sum(map(abs, given), Fraction(1))
    # A rival has its best chance where all that is left goes to it.
    return all(most_given([*values, *[rival] * left]) == winner for rival in (*given, newcomer))


def fewest_to_decide(values: Sequence[Fraction | None], left: int) -> int:
    """The fewest further answers, of those left, after which the vote can be decided; 0 where it is."""
    winner = most_given(values)
    hoped = Fraction(0) if winner is None else winner
    return next(more for more in range(left + 1) if is_decided([*values, *[hoped] * more], left - more))


def _in_order(asks: tuple[Ask, ...], values: Values) -> list[Fraction | None]:
    return [values[ask] for ask in asks if ask in values]


def _unasked(asks: tuple[Ask, ...], values: Values) -> tuple[Ask, ...]:
    return tuple(ask for ask in asks if ask not in values)
