"""Finds numbers that must not change because of what they mean: a year, a time, a label, the legs of a dog.

In `A dog has 4 legs and eats 12 bones in 2019, 25% of them at 3 pm.` the numbers 4, 2019 and 3 are fixed;
12 and 25 may change. The module also guesses units: `bone` for the 12, `%` for the 25.
"""

from __future__ import annotations

import re

from fdd.agents.symbolic.derivation import Form, Quantity
from fdd.agents.symbolic.numbers import write_like
from fdd.agents.symbolic.varying.candidates import AGE
from fdd.amounts import CURRENCY, CURRENCY_SIGNS

MAX_COUNTED = 6
"""Largest number taken for a count of things that the question lists (`3 friends, Ann, Bob and Al`)."""

_NAMED = (
    "grade size day week month year chapter step level number class room page question section route "
    "highway phase round part team group lane row problem no bus channel gate type version volume tier "
    "zone act stage flight episode season box table house park street avenue january february march april "
    "may june july august september october november december under over top formula"
)
# Text before a label: `Grade 4`, `# 7`, `A-4`, the 30 of `10:30`.
_LABEL = re.compile(
    rf"(?:\b(?:{'|'.join(_NAMED.split())})s?\.?\s|#\s?|[A-Za-z]-?|\d[:/])$",
    re.IGNORECASE,
)
_MEANT = re.compile(
    # a time of day, or a number continued by a word such as `hundred`
    r"\s*(?::\d\d\b|[ap]\.?m\b|o.clock|noon\b|hundred\b|thousand\b|million\b|billion\b)"
    # letters directly after the number that are not a unit: 3rd, 20s; also 24/7
    r"|(?!(?:cm|kg|g|m|km|mm|ml|l|lbs?|ft|in|oz|mph|kph|kw|gb|mb|mg|hrs?|mins?|k)\b)[A-Za-z']|/\d"
    # coins and bills
    r"|[\s-]*(?:dollar|cent|pound|euro|pence|peso)?s?[\s-]*(?:bill|note|coin|banknote)"
    # parts of bodies and things that come in fixed numbers
    r"|[\s-]*(?:\w+\s)?(?:leg|wheel|side|eye|arm|wing|finger|toe|tire|string|inning|quarter|season|suit|letter"
    r"|face|corner|paw|tentacle|horn|claw|stripe|syllable|vowel|consonant)(?:s|ged|d)?\b",
    re.IGNORECASE,
)
_KINDS = re.compile(
    r"[\s-]*(?:\w+\s){0,2}?(?:kind|type|sort|color|colour|flavor|variet|class|categor|shift|part|section"
    r"|different|option|stage|half|halves|way|choice|step|round|item|thing|subject|species|size|set)"
    r"(?:s|ies|es)?\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"\s+(?:\w+\s){0,2}?(?:friend|brother|sister|sibling|child|kid|son|daughter|people|person|cousin|girl|boy"
    r"|man|woman|men|women|student|roommate|neighbor|classmate|player|teammate|of (?:them|us|these|those))",
    re.IGNORECASE,
)
_LISTED = re.compile(
    rf"\s[\w\s'-]{{2,40}}?(?:,|:|;|\s-|\()\s*[\w\s'{CURRENCY_SIGNS}%-]+?(?:,[^.?!]*?)?,?\s+(?:and|or)\s",
    re.IGNORECASE,
)
_BACK_REFERENCE = re.compile(r"\b(?:the|these|those|all|both)\s$", re.IGNORECASE)
_MEASURE = (
    r"(?:pound|ounce|gram|kilogram|inche?|foot|feet|yard|meter|centimeter|kilometer|mile|liter|milliliter|gallon"
    r"|quart|pint|cup|minute|second|hour|day|week|month|cent|acre|ton|dollar|euro)s?"
)
_DEFINED = re.compile(
    rf"\b(?:1|one|an?|per) {_MEASURE} (?:is|equals|=|has|contains|is equivalent to)"
    rf"(?: about| approximately| equal to| exactly)? {CURRENCY}?$",
    re.IGNORECASE,
)
_MEASURES = re.compile(rf"\s*{_MEASURE}\b", re.IGNORECASE)
_SOME_OF_THEM = re.compile(r"\b(?:first|last|other|remaining)\s$", re.IGNORECASE)
_TIME_UNIT = re.compile(r"\s+(?:second|minute|hour|day|night|week|month|year)", re.IGNORECASE)
_DIMENSION = re.compile(r"\d\s*(?:x|by)\s*$")
_DATED = re.compile(
    r"(?:\b(?:in|since|year|until|during|before|after|from|to|by|of|the)\s|,\s)$", re.IGNORECASE
)
_PLURAL_NEXT = re.compile(r"\s+[a-z]+(?:s|people|men|women|children)\b")
_FILLER_WORDS = (
    "more fewer less other additional different new extra full whole of the his her their its a in on at "
    "for to and or with per each every from is are was were if when that who which times as big small "
    "large"
)
_FILLERS = frozenset(_FILLER_WORDS.split())
_SAME = {"dollars": "$", "dollar": "$", "feet": "foot", "people": "person", "children": "child"}
_UNIT = re.compile(r"(?:[\s-]+[A-Za-z]+){1,4}")
_MONEY = re.compile(rf"{CURRENCY}\s*$")
_NAME = re.compile(r"(?<= )[A-Z][a-z]{2,}\b")


def is_fixed(question: str, quantity: Quantity) -> bool:
    """Whether a number must stay as it is: a year, a time, a label, a coin, the legs of a dog.

    Also true for a number that `write_like` cannot write, such as `half`.
    """
    before, after = question[: quantity.start], question[quantity.end :]
    text = question[quantity.start : quantity.end]
    if write_like(quantity.value, text, quantity.form) is None or _LABEL.search(_MONEY.sub(" ", before)):
        return True
    if quantity.form is not Form.PERCENT and _MEANT.match(after):
        return True
    if _DEFINED.search(before) and _MEASURES.match(after):
        return True
    if _is_year(quantity, text, before, after) or (AGE.match(after) and quantity.value < 3):
        return True
    return quantity.value <= MAX_COUNTED and _counts_what_is_listed(question, quantity, before, after)


def _is_year(quantity: Quantity, text: str, before: str, after: str) -> bool:
    looks = len(text) == 4 and text.isdigit() and 1500 <= quantity.value <= 2100
    return looks and bool(_DATED.search(before)) and not _PLURAL_NEXT.match(after)


def _counts_what_is_listed(question: str, quantity: Quantity, before: str, after: str) -> bool:
    if _KINDS.match(after) or _LISTED.match(after) or _BACK_REFERENCE.search(before):
        return True
    if _SOME_OF_THEM.search(before) and not _TIME_UNIT.match(after):
        return True
    if _DIMENSION.search(before) or re.match(r"\s*(?:x|by)\s*\d", after):
        return True
    return bool(_PEOPLE.match(after)) and len(set(_NAME.findall(question))) >= quantity.value


def units_of(question: str, quantity: Quantity) -> frozenset[str]:
    """Return a rough guess of what is counted: `$`, `%`, or the next words (at most 4) without plural s.

    Words such as `more` and `of the` are left out. Two numbers have the same unit if these sets intersect.
    """
    if quantity.form is Form.PERCENT:
        return frozenset("%")
    if _MONEY.search(question[: quantity.start]):
        return frozenset("$")
    match = _UNIT.match(question, quantity.end)
    words = match[0].lower().replace("-", " ").split() if match else []
    return frozenset(_SAME.get(word, word.removesuffix("s")) for word in words if word not in _FILLERS)
