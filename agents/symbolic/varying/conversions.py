"""Asks for the answer in another measure: in a smaller unit, over a longer time, or some years later.

`How many hours does he work?` with the answer 6 becomes `How many minutes does he work?`, and the solution
gains `In minutes that is 6 * 60 = <<6*60=360>>360 minutes.`
`How much does he earn per week?` becomes `How much does he earn in 8 weeks?`
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.symbolic.numbers import write_plain
from fdd.amounts import CURRENCY


@dataclass(frozen=True, slots=True)
class Conversion:
    """A question with a new ending, the line that its solution gains, and the new answer."""

    question: str
    line: str
    answer: Fraction


MOST_YEARS = 100
"""Largest age, in years, that a new question may ask for."""
_SMALLER = {
    "hours": ("minutes", 60),
    "minutes": ("seconds", 60),
    "weeks": ("days", 7),
    "feet": ("inches", 12),
    "yards": ("feet", 3),
    "kilometers": ("meters", 1000),
    "meters": ("centimeters", 100),
    "kilograms": ("grams", 1000),
    "pounds": ("ounces", 16),
    "liters": ("milliliters", 1000),
    "gallons": ("quarts", 4),
}
# Signs that `pounds` is money, not weight.
_STERLING = re.compile(r"£|\b(?:pence|sterling|costs?|spen[dt]|pays?|paid|earns?|price)\b")
_UNIT_ASKED = re.compile(rf"\b([Hh]ow many (?:more |total |additional )?)({'|'.join(_SMALLER)})\b(?! and)")
_RATE_ASKED = re.compile(
    r"\b([Hh]ow (?:many|much)\b[^.?!]*?),? (?:in total )?"
    r"(?:per|each|every|a|(?:with)?in (?:a|one|1)) (day|week|month|year)\?$"
)
_BOUND = re.compile(
    r"\b(?:average|per|each|every|more|less|fewer|first|last|if|must|should|needs?|have to|has to)\b"
)
"""Words of a question whose rate may hold only for the time in the story, so it is not extended."""
_AGE_ASKED = re.compile(
    r"\b([Hh])ow old is ((?:his|her|their|the|[A-Z][a-z]+'s) [a-z]+|[A-Z][a-z]+|he|she)"
    r"(?: now| today| currently| right now)?\?$"
)


def convert(question: str, answer: Fraction, rng: random.Random) -> Iterator[Conversion]:
    """Yield the conversions that fit the wording of the question; `answer` is its present answer."""
    for maker in (_in_smaller_units, _over_time, _in_years):
        found = maker(question, answer, rng)
        if found is not None:
            yield found


def _in_smaller_units(question: str, answer: Fraction, _: random.Random) -> Conversion | None:
    matches = list(_UNIT_ASKED.finditer(question))
    if len(matches) != 1 or question.count("?") != 1:
        return None
    match = matches[0]
    smaller, factor = _SMALLER[match[2]]
    if re.search(rf"\b{smaller}\b", question) or "?" not in question[match.end() :]:
        return None
    if match[2] == "pounds" and _STERLING.search(question):
        return None
    text = question[: match.start(2)] + smaller + question[match.end(2) :]
    return Conversion(text, *_product(f"In {smaller} that is", answer, factor, smaller))


def _over_time(question: str, answer: Fraction, rng: random.Random) -> Conversion | None:
    match = _RATE_ASKED.search(question)
    if match is None or _BOUND.search(match[1]):
        return None
    story = question[: match.start()]
    if re.search(rf"\b{match[2]}s\b", story):  # the story has a period of its own that the rate belongs to
        return None
    unit, count = match[2], _unused(range(2, 10), question, rng)
    text = f"{question[: match.start()]}{match[1]} in {count} {unit}s?"
    currency = re.search(CURRENCY, question) if "much" in match[1] else None
    sign = currency[0] if currency else ""
    return Conversion(text, *_product(f"In {count} {unit}s that makes", answer, count, "", sign))


def _in_years(question: str, answer: Fraction, rng: random.Random) -> Conversion | None:
    match = _AGE_ASKED.search(question)
    if match is None or answer.denominator > 1:
        return None
    years = _unused(range(3, 16), question, rng)
    if answer + years > MOST_YEARS:
        return None
    text = f"{question[: match.start()]}{match[1]}ow old will {match[2]} be in {years} years?"
    value = answer + years
    mark = f"<<{answer}+{years}={value}>>"
    return Conversion(text, f"In {years} years the age will be {answer} + {years} = {mark}{value}.", value)


def _unused(numbers: range, question: str, rng: random.Random) -> int:
    """Return a random one of `numbers` that does not stand in the question, or 17 where all of them do."""
    return rng.choice([number for number in numbers if not re.search(rf"\b{number}\b", question)] or [17])


def _product(before: str, answer: Fraction, factor: int, unit: str, sign: str = "") -> tuple[str, Fraction]:
    value = answer * factor
    one, result = write_plain(answer), write_plain(value)
    after = f" {unit}" if unit else ""
    return f"{before} {sign}{one} * {factor} = {sign}<<{one}*{factor}={result}>>{result}{after}.", value
