"""Finds the numbers of a question that may change without making its story absurd, and their new values.

`Sofia strung 36 red beads on Monday and three times as many blue beads on Tuesday. ...` has one slot, the 36,
for which 21, 22, 23, ... are candidates. In `25 loaves for $4 each and 40 rolls for $1.50 each. He pays 20%
of it for flour. ...` each of the five numbers is a slot. Equal numbers share a slot: they change together, so
it does not matter which of them a step of the derivation is linked to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.symbolic.derivation import (
    Constant,
    Derivation,
    Expression,
    Form,
    Given,
    Operation,
    Quantity,
    evaluate,
    leaves,
)
from fdd.agents.symbolic.implied import fraction_parts, is_factor, is_implied, is_squared
from fdd.agents.symbolic.reckoner import Number
from fdd.agents.symbolic.varying.candidates import common_candidates
from fdd.agents.symbolic.varying.fixed import is_fixed, units_of

SUBSTANTIAL = 12
"""Numbers up to this one are often equal by chance."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Equal numbers of a question that may change, all of them to the same new value."""

    members: tuple[int, ...]
    """Indices of `Derivation.quantities`."""
    candidates: tuple[Number, ...]
    """The possible new values; at least one."""


_PARTS = {
    value: re.compile(words, re.IGNORECASE)
    for value, words in {
        Fraction(1, 100): r"%|percent|cents?\b",
        Fraction(1, 20): r"nickel",
        Fraction(1, 10): r"dime|tenth",
        Fraction(1, 4): r"quarter|fourth",
        Fraction(1, 2): r"\bhal[fv]|evenly|equally",
        Fraction(3, 2): r"\bhal[fv]|time and a half",
    }.items()
}

# Words of questions whose numbers have properties that other numbers lack, such as being prime.
_DELICATE = re.compile(
    r"\b(?:dice|die|odd number|even number|prime|palindrome|digit|consecutive|alphabet|roman|binary|leap)s?\b"
)


def slots(derivation: Derivation) -> tuple[Slot, ...]:
    """Return the numbers of the question that may change, in the order of their first appearance.

    Returns an empty tuple where the derivation may not show all of the calculation, or where the numbers
    have properties that the story depends on (dice, digits, primes, ...).
    """
    groups: dict[Fraction, list[int]] = {}
    for index, quantity in enumerate(derivation.quantities):
        groups.setdefault(quantity.value, []).append(index)
    uses = Counter(_uses(derivation))
    brought = _constants(derivation)
    if not all(_is_accounted_for(derivation.question, constant) for constant in brought):
        return ()
    if (
        _divides_by_itself(derivation)
        or _is_too_short(derivation, uses)
        or _has_idle_factor(derivation, uses)
        or _DELICATE.search(derivation.question)
    ):
        return ()
    ambiguous = _complements(derivation) | _differences(derivation, uses) | _parts(derivation)
    ambiguous |= likely_parts(derivation)
    found = []
    for value, members in groups.items():
        quantities = [derivation.quantities[index] for index in members]
        count = sum(uses[index] for index in members)
        if value in ambiguous or not count:
            continue
        if not _is_tied_down(derivation.question, value, quantities, count, brought):
            options = common_candidates(derivation.question, quantities)
            taken = brought | groups.keys()
            distinct = tuple(o for o in options if o not in taken and not is_implied(derivation.question, o))
            if distinct:
                found.append(Slot(tuple(members), distinct))
    return tuple(found)


def _uses(derivation: Derivation) -> Iterator[int]:
    for step in derivation.steps:
        for leaf in leaves(step.expression):
            if isinstance(leaf, Given):
                yield leaf.index


def _constants(derivation: Derivation) -> set[Fraction]:
    found = (leaf for step in derivation.steps for leaf in leaves(step.expression))
    return {leaf.value for leaf in found if isinstance(leaf, Constant)}


def _parts(derivation: Derivation) -> set[Fraction]:
    """Return the small numbers of the question if a step divides by an unexplained constant.

    The divisor may depend on them: the 5 in `x + 4x = 5x` depends on `4 times`.
    """
    divisors = {
        part.right.value
        for step in derivation.steps
        for part in _operations(step.expression)
        if part.sign == "/" and isinstance(part.right, Constant)
    }
    if all(value == 1 or is_implied(derivation.question, value) for value in divisors):
        return set()
    return {quantity.value for quantity in derivation.quantities if quantity.value <= SUBSTANTIAL}


def _divides_by_itself(derivation: Derivation) -> bool:
    """Whether a step has `10 / 10`, `10 - 10` or `10 * 10` with the same number twice.

    One of the two then probably means another number. `10 * 10` is allowed for an area or the like.
    """
    return any(
        part.left == part.right
        and (part.sign in "-/" or (part.sign == "*" and not is_squared(f"{derivation.question} {step.text}")))
        for step in derivation.steps
        for part in _operations(step.expression)
    )


def likely_parts(derivation: Derivation) -> set[Fraction]:
    """Return the numbers that a step may have taken from a fraction of the question, and those fractions."""
    givens = [quantity.value for quantity in derivation.quantities]
    results = [step.value for step in derivation.steps]
    used = {evaluate(leaf, givens, results) for step in derivation.steps for leaf in leaves(step.expression)}
    found: set[Fraction] = set()
    for quantity in derivation.quantities:
        if taken := fraction_parts([quantity]) & used:
            found |= {quantity.value, *taken}
    return found


def _is_too_short(derivation: Derivation, uses: Counter[int]) -> bool:
    """Whether there is only one step and it leaves several numbers unused: the rest was not written down."""
    return len(derivation.steps) == 1 and len(derivation.quantities) - len(uses) > 1


def _has_idle_factor(derivation: Derivation, uses: Counter[int]) -> bool:
    """Whether no step uses a `twice` or `3 times` of the question: with other numbers it may become false."""
    found = (leaf for step in derivation.steps for leaf in leaves(step.expression))
    used = {leaf.value for leaf in found if isinstance(leaf, Constant)}
    used |= {derivation.quantities[index].value for index in uses}
    return any(
        quantity.value not in used and 1 / quantity.value not in used
        for quantity in derivation.quantities
        if quantity.value and is_factor(derivation.question, quantity)
    )


def _operations(expression: Expression) -> Iterator[Operation]:
    if isinstance(expression, Operation):
        yield expression
        yield from _operations(expression.left)
        yield from _operations(expression.right)


def _complements(derivation: Derivation) -> set[Fraction]:
    """Return percentages and fractions that equal what others leave of the whole.

    In `25% are red, 75% blue` a 75 of the solution may be either the second number or 100 - 25.
    """
    found = set()
    for whole, of_percent in ((Fraction(100), True), (Fraction(1), False)):
        shares = [
            quantity.value
            for quantity in derivation.quantities
            if (quantity.form is Form.PERCENT) == of_percent and quantity.value < whole
        ]
        rests = {whole - share for share in shares} | {whole - sum(shares)}
        found |= rests & set(shares)
    return found


def _differences(derivation: Derivation, uses: Counter[int]) -> set[Fraction]:
    """Return numbers that a step may instead have computed from a number that no step uses.

    With an unused 20 and a 10 in the question, a 10 of the solution may also be 20 - 10.
    """
    values = [quantity.value for quantity in derivation.quantities]
    unused = {value for index, value in enumerate(values) if not uses[index]} - {values[i] for i in uses}
    pairs = [(one, other) for one in unused for other in {*values, Fraction(1)}]
    return {value for value in values for one, other in pairs if value in (abs(one - other), one + other)}


def _is_tied_down(
    question: str, value: Fraction, quantities: Sequence[Quantity], uses: int, brought: set[Fraction]
) -> bool:
    """Whether a value must not change, because it is ambiguous or has a fixed meaning.

    `uses` counts how often steps use it; `brought` has the constants that the solution adds.
    """
    if value in (0, 1) or any(is_fixed(question, quantity) for quantity in quantities):
        return True
    if is_implied(question, value) or value in brought:
        return True
    if any(_may_come_from(question, constant, value) for constant in brought):
        return True
    # A small number is used more often than it is written: one of the uses may be a constant.
    if value <= 4 and uses > len(quantities):
        return True
    same_unit = bool(frozenset.intersection(*(units_of(question, quantity) for quantity in quantities)))
    return uses < len(quantities) and value <= SUBSTANTIAL and not same_unit


def _is_accounted_for(question: str, constant: Fraction) -> bool:
    """Whether a constant is from 0 to 9 or suggested by the question.

    Any other constant may be the result of a calculation that is not written down.
    """
    if constant.denominator > 1:
        words = _PARTS.get(constant)
        return words is not None and words.search(question) is not None
    return 0 <= constant < 10 or is_implied(question, constant)


def _may_come_from(question: str, constant: Fraction, value: Fraction) -> bool:
    """Whether the constant may come from the value by an unwritten calculation: 14 days from two weeks."""
    if any(constant == value * unit and is_implied(question, unit) for unit in (7, 12, 24, 60)):
        return True
    if constant == 1:
        return value == 2
    beside = constant in {value + 1, value - 1, value / 2, value * 2, value * 3, value * 4}
    return beside and not is_implied(question, constant)
