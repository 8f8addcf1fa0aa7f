"""Numbers that a solution may use although its question does not write them: the 2 of `twice`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from fdd.agents.symbolic.derivation import Form, Quantity
from fdd.agents.symbolic.numbers import write_like
from fdd.agents.symbolic.reckoner import Number
from fdd.amounts import CURRENCY

# Numbers that a solution may use without taking them from the question, and the words that suggest this.
# A number of the question that equals one of them cannot be told apart from it, so it does not change.
IMPLIED = {
    value: re.compile(words, re.IGNORECASE)
    for value, words in {
        2: r"twice|doubl|\bhal[fv]|both|\bpair|couple|round[- ]trip|forth|to and from|each way|twin|square"
        r"|rectang|average|\bback\b|\bsecond\b|\bother\b|return|two-way|biweekly|between them|together",
        3: r"tripl|thrice|third|triang|yard|average|trio",
        4: r"quarter|quadrupl|fourth|square|rectang|month|perimeter|average",
        5: r"fifth|quintupl|weekday|work ?day|work ?week|nickel|school|monday|average",
        6: r"sixth|dozen|hexagon|saturday",
        7: r"week|daily|seventh|every ?day|each day",
        8: r"eighth|octagon|octop|spider",
        10: r"tenth|dime|decade|tenfold|percent|%",
        12: r"(?<!of-)\byear|annual|dozen|month|foot|feet|inch",
        16: r"ounce|pound",
        20: r"score",
        24: r"\bdays?\b|daily|hour",
        25: r"quarter",
        26: r"alphabet|letter",
        28: r"month|february",
        30: r"month|half an hour|june|april|september|november",
        31: r"month|january|march|july|august|october|december",
        36: r"yard",
        50: r"half|%|percent",
        52: r"year|annual|cards",
        60: r"hour|minute|second",
        90: r"angle",
        100: r"percent|%|cents?\b|dollar|meter|century|out of|" + CURRENCY,
        180: r"angle|degree",
        360: r"angle|degree",
        365: r"year|annual",
        366: r"year|annual",
        1000: r"kilo|\bkm|\bkg|liter|gram|meter|\bton|\bml|\bg\b",
    }.items()
}

_SQUARE = re.compile(
    r"squar|\bcub|\barea\b|\bper side|\beach (?:side|direction)|\bsides\b|by itself", re.IGNORECASE
)


def is_implied(question: str, value: Number) -> bool:
    """Whether words of the question suggest this number as a constant: `hour` suggests 60."""
    words = IMPLIED.get(int(value)) if value.denominator == 1 else None
    return words is not None and words.search(question) is not None


def is_squared(text: str) -> bool:
    """Whether a text mentions something for which a number is multiplied by itself, such as an area."""
    return _SQUARE.search(text) is not None


def fraction_parts(quantities: Sequence[Quantity]) -> set[Fraction]:
    """Return the numerators and denominators above 1 that a solution may use alone: 3 and 8 for `3/8`."""
    fractions = [quantity.value for quantity in quantities if quantity.form is Form.FRACTION]
    return {
        Fraction(part) for value in fractions for part in (value.numerator, value.denominator) if part > 1
    }


def is_factor(question: str, quantity: Quantity) -> bool:
    """Whether a number compares two things by a factor: `twice`, `3 times as many`."""
    text = question[quantity.start : quantity.end]
    # Words that `write_like` cannot write (`twice`, `half`) compare things; only `dozen` does not.
    relative = quantity.form is Form.WORD and write_like(quantity.value, text, quantity.form) is None
    return (relative and not text[0].isdigit() and "dozen" not in text.lower()) or bool(
        re.match(r"\s+times\s+(?:as|more|the)\b", question[quantity.end :])
    )
