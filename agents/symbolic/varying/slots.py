"""Finds the numbers of a question that may change without making its story absurd, and their new values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from fdd.agents.symbolic.computation import Number, normal
from fdd.agents.symbolic.derivation import (
    Constant,
    Derivation,
    Expression,
    Form,
    Given,
    Operation,
    Quantity,
    evaluate,
)
from fdd.agents.symbolic.implied import fraction_parts, is_factor, is_implied, is_squared
from fdd.agents.symbolic.numbers import decimal_places, write_like
from fdd.agents.symbolic.vocabulary import LISTS
from fdd.amounts import CURRENCY, CURRENCY_SIGNS

SUBSTANTIAL = 12  # numbers up to this one are often equal by chance
MOST_NUMBERS = 40
"""A question with more numbers is not varied: each group of four of them is searched for relations."""
MAX_COUNTED = 6
"""Largest number taken for a count of things that the question lists (`3 friends, Ann, Bob and Al`)."""
MOST_TIMES = 9
"""Largest new factor in place of a small one: `6 times as much` does not become `14 times as much`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Equal numbers of a question that may change, all of them to the same new value."""

    members: tuple[int, ...]  # indices of `Derivation.quantities`
    candidates: tuple[Number, ...]  # the possible new values; at least one


# The fractions that a solution may bring in, and the words of a question that suggest them.
_PARTS = {
    Fraction(1, 100): r"%|percent|cents?\b",
    Fraction(1, 20): r"nickel",
    Fraction(1, 10): r"dime|tenth",
    Fraction(1, 4): r"quarter|fourth",
    Fraction(1, 2): r"\bhal[fv]|evenly|equally",
    Fraction(3, 2): r"\bhal[fv]|time and a half",
}

# Words of questions whose numbers have properties that other numbers lack, such as being prime.
_DELICATE = re.compile(
    r"\b(?:dice|die|odd number|even number|prime|palindrome|digit|consecutive|alphabet|roman|binary|leap)s?\b"
)
# Text before a label: `Grade 4`, `# 7`, `A-4`, the 30 of `10:30`.
_LABEL = re.compile(rf"(?i)(?:\b(?:{'|'.join(LISTS['labels'])})s?\.?\s|#\s?|[A-Za-z]-?|\d[:/])$")
_MEANT = re.compile(
    # a time of day, or a number continued by a word such as `hundred`
    r"(?i)\s*(?::\d\d\b|[ap]\.?m\b|o.clock|noon\b|hundred\b|thousand\b|million\b|billion\b)"
    # letters directly after the number that are not a unit: 3rd, 20s; also 24/7
    r"|(?!(?:cm|kg|g|m|km|mm|ml|l|lbs?|ft|in|oz|mph|kph|kw|gb|mb|mg|hrs?|mins?|k)\b)[A-Za-z']|/\d"
    # coins and bills
    r"|[\s-]*(?:dollar|cent|pound|euro|pence|peso)?s?[\s-]*(?:bill|note|coin|banknote)"
    # parts of bodies and things that come in fixed numbers
    r"|[\s-]*(?:\w+\s)?(?:leg|wheel|side|eye|arm|wing|finger|toe|tire|string|inning|quarter|season|suit|letter"
    r"|face|corner|paw|tentacle|horn|claw|stripe|syllable|vowel|consonant)(?:s|ged|d)?\b"
)
_KINDS = re.compile(
    r"(?i)[\s-]*(?:\w+\s){0,2}?(?:kind|type|sort|color|colour|flavor|variet|class|categor|shift|part|section"
    r"|different|option|stage|half|halves|way|choice|step|round|item|thing|subject|species|size|set)"
    r"(?:s|ies|es)?\b"
)
_PEOPLE = re.compile(
    r"(?i)\s+(?:\w+\s){0,2}?(?:friend|brother|sister|sibling|child|kid|son|daughter|people|person|cousin|girl|boy"
    r"|man|woman|men|women|student|roommate|neighbor|classmate|player|teammate|of (?:them|us|these|those))"
)
_LISTED = re.compile(
    rf"(?i)\s[\w\s'-]{{2,40}}?(?:,|:|;|\s-|\()\s*[\w\s'{CURRENCY_SIGNS}%-]+?(?:,[^.?!]*?)?,?\s+(?:and|or)\s"
)
_BACK_REFERENCE = re.compile(r"(?i)\b(?:the|these|those|all|both)\s$")
_MEASURE = (
    r"(?:pound|ounce|gram|kilogram|inche?|foot|feet|yard|meter|centimeter|kilometer|mile|liter|milliliter|gallon"
    r"|quart|pint|cup|minute|second|hour|day|week|month|cent|acre|ton|dollar|euro)s?"
)
_DEFINED = re.compile(
    rf"(?i)\b(?:1|one|an?|per) {_MEASURE} (?:is|equals|=|has|contains|is equivalent to)"
    rf"(?: about| approximately| equal to| exactly)? {CURRENCY}?$"
)
_MEASURES = re.compile(rf"(?i)\s*{_MEASURE}\b")
_SOME_OF_THEM = re.compile(r"(?i)\b(?:first|last|other|remaining)\s$")
_TIME_UNIT = re.compile(r"(?i)\s+(?:second|minute|hour|day|night|week|month|year)")
_DIMENSION = re.compile(r"\d\s*(?:x|by)\s*$")
_DATED = re.compile(r"(?i)(?:\b(?:in|since|year|until|during|before|after|from|to|by|of|the)\s|,\s)$")
_PLURAL_NEXT = re.compile(r"\s+[a-z]+(?:s|people|men|women|children)\b")
_FILLERS = frozenset(LISTS["fillers"])
_SAME = {"dollars": "$", "dollar": "$", "feet": "foot", "people": "person", "children": "child"}
_UNIT = re.compile(r"(?:[\s-]+[A-Za-z]+){1,4}")
_MONEY = re.compile(rf"{CURRENCY}\s*$")
_NAME = re.compile(r"(?<= )[A-Z][a-z]{2,}\b")
AGE = re.compile(r"(?i)[\s-]*(?:(?:year|month|week)s?[\s-]*(?:old|of age)|years? (?:younger|older))")
_EACH = r"(?:a|per|each|every|in an?|of the|out of the)"
# The largest new value of a number before such words: nobody works 8 days a week.
_CAPS = {
    rf"hours?(?: long)?,? (?:\w+ )?{_EACH} (?:\w+)?(?:day|night|shift)": 12,
    rf"days?,? {_EACH} (?:work ?)?week": 7,
    rf"days?,? {_EACH} month": 30,
    rf"weeks?,? {_EACH} month": 4,
    rf"months?,? {_EACH} year": 12,
    rf"times?,? {_EACH} (?:day|week)": 7,
}
_TIMES = re.compile(r"(?i)\s*times? (?:as|the|more|that|bigger|larger|older|longer|higher|her|his|their)")


def slots(derivation: Derivation) -> tuple[Slot, ...]:
    """Return the numbers that may change; none if the solution may hide a calculation."""
    question, quantities = derivation.question, derivation.quantities
    groups: dict[Fraction, list[int]] = {}
    for index, quantity in enumerate(quantities):
        groups.setdefault(quantity.value, []).append(index)
    uses = Counter(leaf.index for leaf in derivation.leaves() if isinstance(leaf, Given))
    brought = derivation.constants()
    if (
        len(quantities) > MOST_NUMBERS
        or not all(_is_accounted_for(question, constant) for constant in brought)
        or _divides_by_itself(derivation)
        # A single step that leaves several numbers unused: the rest was not written down.
        or (len(derivation.steps) == 1 and len(quantities) - len(uses) > 1)
        or _has_idle_factor(derivation, uses)
        or _DELICATE.search(question)
    ):
        return ()
    ambiguous = _complements(derivation) | _differences(derivation, uses) | _parts(derivation)
    ambiguous |= likely_parts(derivation)
    found = []
    for value, members in groups.items():
        equal = [quantities[index] for index in members]
        count = sum(uses[index] for index in members)
        if value in ambiguous or not count or _is_tied_down(question, value, equal, count, brought):
            continue
        taken = brought | groups.keys()
        options = common_candidates(question, equal)
        distinct = tuple(each for each in options if each not in taken and not is_implied(question, each))
        if distinct:
            found.append(Slot(tuple(members), distinct))
    return tuple(found)


def _parts(derivation: Derivation) -> set[Fraction]:
    """Return the small numbers if a step divides by an unexplained one: the 5 in `x + 4x = 5x` is 1 + 4."""
    parts = (part for step in derivation.steps for part in _operations(step.expression) if part.sign == "/")
    divisors = {part.right.value for part in parts if isinstance(part.right, Constant)}
    if all(value == 1 or is_implied(derivation.question, value) for value in divisors):
        return set()
    return {quantity.value for quantity in derivation.quantities if quantity.value <= SUBSTANTIAL}


def _divides_by_itself(derivation: Derivation) -> bool:
    """Whether a step has `10 / 10`, `10 - 10`, or `10 * 10` for no area: one may be another number."""
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
    used = {evaluate(leaf, givens, results) for leaf in derivation.leaves()}
    taken = ((quantity.value, fraction_parts([quantity]) & used) for quantity in derivation.quantities)
    return {number for value, parts in taken if parts for number in (value, *parts)}


def _has_idle_factor(derivation: Derivation, uses: Counter[int]) -> bool:
    """Whether no step uses a `twice` or `3 times` of the question: with other numbers it may become false."""
    used = derivation.constants() | {derivation.quantities[index].value for index in uses}
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
    """Return shares that equal what others leave: in `25% red, 75% blue` a 75 may also be 100 - 25."""
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
    """Return numbers that may also come from an unused one: with an unused 20, a 10 may be 20 - 10."""
    values = [quantity.value for quantity in derivation.quantities]
    unused = {value for index, value in enumerate(values) if not uses[index]} - {values[i] for i in uses}
    pairs = [(one, other) for one in unused for other in {*values, Fraction(1)}]
    return {value for value in values for one, other in pairs if value in (abs(one - other), one + other)}


def _is_tied_down(
    question: str, value: Fraction, quantities: Sequence[Quantity], uses: int, brought: set[Fraction]
) -> bool:
    """Whether a value must not change. Steps have it `uses` times; `brought` has their constants."""
    if value in (0, 1) or any(is_fixed(question, quantity) for quantity in quantities):
        return True
    if is_implied(question, value) or value in brought:
        return True
    if any(_may_come_from(question, constant, value) for constant in brought):
        return True
    # A small number that is used more often than it is written: one of the uses may be a constant.
    if value <= 4 and uses > len(quantities):
        return True
    same_unit = bool(frozenset.intersection(*(units_of(question, quantity) for quantity in quantities)))
    return uses < len(quantities) and value <= SUBSTANTIAL and not same_unit


def _is_accounted_for(question: str, constant: Fraction) -> bool:
    """Whether a constant is from 0 to 9 or suggested by the question; any other may be a hidden result."""
    if constant.denominator > 1:
        words = _PARTS.get(constant)
        return words is not None and re.search(words, question, re.IGNORECASE) is not None
    return 0 <= constant < 10 or is_implied(question, constant)


def _may_come_from(question: str, constant: Fraction, value: Fraction) -> bool:
    """Whether the constant may come from the value by an unwritten calculation: 14 days from two weeks."""
    if any(constant == value * unit and is_implied(question, unit) for unit in (7, 12, 24, 60)):
        return True
    if constant == 1:
        return value == 2
    beside = constant in {value + 1, value - 1, value / 2, value * 2, value * 3, value * 4}
    return beside and not is_implied(question, constant)


def is_fixed(question: str, quantity: Quantity) -> bool:
    """Whether a number must stay: a year, a time, a label, a coin, the legs of a dog, `half`."""
    before, after = question[: quantity.start], question[quantity.end :]
    text = question[quantity.start : quantity.end]
    if write_like(quantity.value, text, quantity.form) is None or _LABEL.search(_MONEY.sub(" ", before)):
        return True
    if quantity.form is not Form.PERCENT and _MEANT.match(after):
        return True
    if _DEFINED.search(before) and _MEASURES.match(after):
        return True
    is_year = len(text) == 4 and text.isdigit() and 1500 <= quantity.value <= 2100
    if is_year and _DATED.search(before) and not _PLURAL_NEXT.match(after):
        return True
    if AGE.match(after) and quantity.value < 3:
        return True
    return quantity.value <= MAX_COUNTED and _counts_what_is_listed(question, quantity, before, after)


def _counts_what_is_listed(question: str, quantity: Quantity, before: str, after: str) -> bool:
    if _KINDS.match(after) or _LISTED.match(after) or _BACK_REFERENCE.search(before):
        return True
    if (_SOME_OF_THEM.search(before) and not _TIME_UNIT.match(after)) or _DIMENSION.search(before):
        return True
    if re.match(r"\s*(?:x|by)\s*\d", after):
        return True
    return bool(_PEOPLE.match(after)) and len(set(_NAME.findall(question))) >= quantity.value


def units_of(question: str, quantity: Quantity) -> frozenset[str]:
    """Guess what is counted: `$`, `%`, or the next words (at most 4). Equal units have a word in common."""
    if quantity.form is Form.PERCENT:
        return frozenset("%")
    if _MONEY.search(question[: quantity.start]):
        return frozenset("$")
    match = _UNIT.match(question, quantity.end)
    words = match[0].lower().replace("-", " ").split() if match else []
    return frozenset(_SAME.get(word, word.removesuffix("s")) for word in words if word not in _FILLERS)


def common_candidates(question: str, quantities: Sequence[Quantity]) -> tuple[Number, ...]:
    """Return the new values that are possible for every one of these equal numbers.

    They have about the old size, are as round, and can be written in the same form. `120 pens` gives 100,
    110, 130, ..., 190; `$2.50` gives 1.5, 3.5 and 4.5; `8 hours per day` gives 5, 6, 7, 9, 10 and 11.
    """
    first, *others = (_candidates(question, quantity) for quantity in quantities)
    return tuple(option for option in first if all(option in other for other in others))


def _candidates(question: str, quantity: Quantity) -> list[Number]:
    text, after = question[quantity.start : quantity.end], question[quantity.end :]
    value = quantity.value
    caps = (cap for words, cap in _CAPS.items() if re.match(rf"[\s-]*{words}", after, re.IGNORECASE))
    cap = min(caps, default=None)
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
    """Yield multiples of the coarsest of 0.5, 0.25, 0.1, ... that divides the value, on its side of 1."""
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
