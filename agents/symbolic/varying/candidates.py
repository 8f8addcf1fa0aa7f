"""Proposes new values for a number of a question.

They have about the old size, are as round, and can be written in the same form. `120 pens` gives 100, 110,
130, ..., 190; `$2.50` gives 1.5, 3.5 and 4.5; `8 hours per day` gives 5, 6, 7, 9, 10 and 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import gcd

from fdd.agents.symbolic.derivation import Form, Quantity
from fdd.agents.symbolic.numbers import decimal_places, write_like
from fdd.agents.symbolic.reckoner import Number, normal

AGE = re.compile(
    r"[\s-]*(?:(?:year|month|week)s?[\s-]*(?:old|of age)|years? (?:younger|older))", re.IGNORECASE
)
_EACH = r"(?:a|per|each|every|in an?|of the|out of the)"
# The largest new value of a number before such words: nobody works 8 days a week.
_CAPS = tuple(
    (re.compile(rf"[\s-]*{after}", re.IGNORECASE), cap)
    for after, cap in (
        (rf"hours?(?: long)?,? (?:\w+ )?{_EACH} (?:\w+)?(?:day|night|shift)", 12),
        (rf"days?,? {_EACH} (?:work ?)?week", 7),
        (rf"days?,? {_EACH} month", 30),
        (rf"weeks?,? {_EACH} month", 4),
        (rf"months?,? {_EACH} year", 12),
        (rf"times?,? {_EACH} (?:day|week)", 7),
    )
)
_TIMES = re.compile(
    r"\s*times? (?:as|the|more|that|bigger|larger|older|longer|higher|her|his|their)", re.IGNORECASE
)
MOST_TIMES = 9
"""Largest new factor in place of a small one: `6 times as much` does not become `14 times as much`."""


def common_candidates(question: str, quantities: Sequence[Quantity]) -> tuple[Number, ...]:
    """Return the new values that are possible for every one of these equal numbers."""
    first, *others = (_candidates(question, quantity) for quantity in quantities)
    return tuple(option for option in first if all(option in other for other in others))


def _candidates(question: str, quantity: Quantity) -> list[Number]:
    text, after = question[quantity.start : quantity.end], question[quantity.end :]
    value = quantity.value
    cap = min((cap for pattern, cap in _CAPS if pattern.match(after)), default=None)
    if cap is None and value <= 7 and re.match(r"[\s-]*days?\b", after) and "week" in question:
        cap = 7
    if cap is None and value <= MOST_TIMES and _TIMES.match(after):
        cap = MOST_TIMES
    return [
        option
        for option in _options(value, quantity.form, is_age=AGE.match(after) is not None)
        if option != value
        and (cap is None or option <= cap)
        and write_like(Fraction(option), text, quantity.form) is not None
    ]


def _options(value: Fraction, form: Form, *, is_age: bool) -> Iterator[Number]:
    if form is Form.FRACTION or decimal_places(value) is None:
        return _fractions(value)
    if value.denominator > 1:
        return _decimals(value)
    whole = int(value)
    if form is Form.PERCENT:
        return _percentages(whole)
    if is_age:
        reach = max(2, whole // 8)
        return iter(range(max(3, whole - reach), whole + reach + 1))
    return _whole_numbers(whole)


def _whole_numbers(value: int) -> Iterator[int]:
    if value < 10:
        return iter(range(max(2, value - 3), value + 4))
    grain = _grain(value)
    floor = 6 if value < 15 else 10 ** (len(str(value)) - 1)
    low, high = max(value * 3 // 5, floor), min(value * 8 // 5, 10 ** len(str(value)) - 1)
    # Where nothing larger has as many digits (after 95 comes 100), a number may be one digit longer.
    if high < value + grain:
        high = value * 8 // 5
    return iter(range(-(-low // grain) * grain, high + 1, grain))


def _grain(value: int) -> int:
    """Return the step between equally round numbers: 5 for 35, 10 for 120, 50 for 350, 1 for 17."""
    power = 1
    while value % (power * 10) == 0:
        power *= 10
    lead = value // power
    if power == 1:
        return 5 if value % 5 == 0 and value >= 15 else 1
    if lead % 5 == 0 and lead >= 15:
        return 5 * power
    return power if lead >= 10 else power // 2


def _percentages(value: int) -> Iterator[int]:
    if value >= 100:
        return iter(range(max(105, value - 50), value + 55, 5) if value % 5 == 0 and value > 100 else ())
    if value % 5 == 0:
        reach = max(10, value * 3 // 5 // 5 * 5)
        return iter(range(max(5, value - reach), min(95, value + reach) + 1, 5))
    return iter(range(max(2, value - 8), min(99, value + 8) + 1))


def _decimals(value: Fraction) -> Iterator[Number]:
    """Yield multiples of the coarsest of 0.5, 0.25, 0.1, ... that divides the value; none is whole.

    They lie on the same side of 1 as the value.
    """
    finest = Fraction(1, 10 ** (decimal_places(value) or 0))
    coarse = (Fraction(1, part) for part in (2, 4, 10, 20))
    grain = next((grain for grain in coarse if (value / grain).denominator == 1), finest)
    low, high = int(value * 3 / 5 / grain), int(value * 8 / 5 / grain) + 1
    multiples = (normal(grain * count) for count in range(max(1, low), min(high, low + 120) + 1))
    return (found for found in multiples if found.denominator > 1 and (found < 1) == (value < 1))


def _fractions(value: Fraction) -> Iterator[Fraction]:
    if not 0 < value < 1:
        return iter(())
    if value.numerator == 1:
        return (Fraction(1, bottom) for bottom in (2, 3, 4, 5, 6, 8, 10))
    bottoms = (3, 4, 5, 6, 8, 10)
    return (Fraction(top, bottom) for bottom in bottoms for top in range(2, bottom) if gcd(top, bottom) == 1)
