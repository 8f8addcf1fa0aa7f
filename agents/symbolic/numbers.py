"""Finds the numbers in a text, and writes a number the way another one is written.

`a dozen eggs, 1,200 cups, 25% and 3/4 of half` has the numbers 12 (WORD), 1200 (DIGITS), 25 (PERCENT), 3/4
(FRACTION) and 1/2 (WORD). Written like `1,200`, the number 2400 is `2,400`.
"""

from __future__ import annotations

import re
from fractions import Fraction

from fdd.agents.symbolic.derivation import Form, Quantity

DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+"

_UNITS = """
zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
""".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_MULTIPLES = {"dozen": 12, "twice": 2, "double": 2, "doubled": 2, "thrice": 3, "triple": 3, "tripled": 3}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}

CARDINALS: dict[str, int] = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
"""Values of the single number words: zero to nineteen and the tens up to ninety."""

_cardinal = "|".join(sorted(CARDINALS, key=len, reverse=True))
_tens = "|".join(_TENS)
_ones = "|".join(_UNITS[1:10])
_PATTERN = re.compile(
    rf"(?P<mixed>\d+(?:\s+|-)\d+/\d+(?![\d/]))"
    rf"|(?P<fraction>(?<![\d/.])\d+\s?/\s?\d+(?![\d/]))"
    rf"|(?P<digits>{DIGITS})(?P<percent>\s?%|\s(?:percent|per cent)\b)?"
    rf"|\b(?:(?:(?P<top>{_ones}|an?)[\s-])?(?P<part>half|halves|quarters?|(?<=[\s-])(?:thirds?|fourths?|"
    rf"fifths?|sixths?|eighths?|tenths?)))\b"
    rf"|\b(?P<scaled>(?:{_cardinal}|an?)[\s-](?:hundred|thousand|million))\b"
    rf"|\b(?<!\bno\s)(?P<compound>(?:{_tens})[\s-](?:{_ones})|{_cardinal})\b"
    rf"(?P<word_percent>\s(?:percent|per cent)\b)?"
    rf"|\b(?P<multiple>{'|'.join(_MULTIPLES)})s?\b",
    re.IGNORECASE,
)
_TEMPLATE_NUMBER = re.compile(r"^(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?$")


def read_digits(text: str) -> Fraction:
    """Return the value of `48`, `1,200`, `2.50` or `.5`."""
    return Fraction(text.replace(",", ""))


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """Return every number in the text, in order; ordinals (`the third day`) and `no one` are not numbers."""
    found = (_quantity(match) for match in _PATTERN.finditer(text))
    return tuple(quantity for quantity in found if quantity is not None)


def _quantity(match: re.Match[str]) -> Quantity | None:
    start, end = match.span()
    if match["mixed"]:
        whole, fraction = re.split(r"[\s-]+", match["mixed"])
        value = _divide(fraction)
        if value is None or value >= 1:
            return None
        return Quantity(int(whole) + value, start, end, Form.FRACTION)
    if match["fraction"]:
        value = _divide(match["fraction"])
        return None if value is None else Quantity(value, start, end, Form.FRACTION)
    if match["digits"]:
        form = Form.PERCENT if match["percent"] else Form.DIGITS
        return Quantity(read_digits(match["digits"]), start, end, form)
    if match["part"]:
        return _part(match)
    if match["scaled"]:
        count, scale = re.split(r"[\s-]", match["scaled"].lower())
        return Quantity(Fraction(CARDINALS.get(count, 1) * _SCALES[scale]), start, end, Form.WORD)
    if match["compound"]:
        parts = re.split(r"[\s-]", match["compound"].lower())
        form = Form.PERCENT if match["word_percent"] else Form.WORD
        return Quantity(Fraction(sum(CARDINALS[part] for part in parts)), start, end, form)
    return Quantity(Fraction(_MULTIPLES[match["multiple"].lower()]), start, end, Form.WORD)


def _divide(text: str) -> Fraction | None:
    top, bottom = text.split("/")
    return Fraction(int(top), int(bottom)) if int(bottom) else None


def _part(match: re.Match[str]) -> Quantity | None:
    word, top = match["part"].lower(), (match["top"] or "").lower()
    if word not in {"half", "halves", "quarter"} and not top:
        return None
    bottom = 2 if word == "halves" else _PARTS[word.removesuffix("s")]
    return Quantity(Fraction(CARDINALS.get(top, 1), bottom), match.start(), match.end(), Form.WORD)


def write_plain(value: Fraction) -> str:
    """Write a number without thousands separators: `1200`, `2.5`, `-3`; `7/3` if no decimal is exact."""
    if value.denominator == 1:
        return str(value.numerator)
    places = decimal_places(value)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    return _fixed(value, places)


def decimal_places(value: Fraction) -> int | None:
    """Return the number of decimal places that write the value exactly; None where none does."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _fixed(value: Fraction, places: int) -> str:
    scaled = abs(value) * 10**places
    digits = str(int(scaled)).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def write_like(value: Fraction, original: str, form: Form) -> str | None:
    """Write a value the way `original` is written; None where that is impossible without rounding.

    Keeps thousands separators, the number of decimals (more where exactness needs them), the percent sign,
    and number words up to ninety-nine with their capital letter.
    """
    if form is Form.WORD:
        return _word_like(value, original)
    if form is Form.FRACTION:
        proper = value.denominator > 1 and re.fullmatch(r"\d+/\d+", original)
        return f"{value.numerator}/{value.denominator}" if proper else None
    digits = re.match(DIGITS, original)
    shape = _TEMPLATE_NUMBER.match(digits[0]) if digits else None
    needed = decimal_places(value)
    if digits is None or shape is None or needed is None or value < 0:
        return None
    text = _fixed(value, max(needed, len(shape[2] or "")))
    whole, _, decimals = text.partition(".")
    # A text that writes `200` does not show whether it would write 12345 with a separator: use one.
    if "," in shape[1] or (len(shape[1]) < 4 < len(whole)):
        whole = f"{int(whole):,}"
    return whole + ("." + decimals if decimals else "") + original[digits.end() :]


def _word_like(value: Fraction, original: str) -> str | None:
    word = number_word(value)
    plain = re.fullmatch(rf"(?:{_cardinal})(?:[\s-](?:{_ones}))?", original, re.IGNORECASE)
    if word is None or plain is None:
        return None
    return word.capitalize() if original[0].isupper() else word


def number_word(value: Fraction) -> str | None:
    """Return the word for a whole number from 0 to 99 (`twenty-one` for 21); None for any other value."""
    if value.denominator != 1 or not 0 <= value < 100:
        return None
    tens, ones = divmod(int(value), 10)
    if tens < 2:
        return _UNITS[int(value)]
    return _TENS[tens - 2] + (f"-{_UNITS[ones]}" if ones else "")
