"""Finds the numbers in a text, and writes a number the way another one is written."""

from __future__ import annotations

import re
from fractions import Fraction

from fdd.agents.symbolic.derivation import Form, Quantity

DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+"
PERCENT = r"(?:%|(?i:per ?cent)(?![\w'’]))"
"""Pattern of the sign or the word after a percentage."""

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
# `third` to `tenth` are parts only after a word (`a third`, `two-thirds`), and `no one` is no number.
_PATTERN = re.compile(
    rf"(?i)(?P<mixed>\d+(?:\s+|-)\d+/\d+(?![\d/]))"
    rf"|(?P<fraction>(?<![\d/.])\d+\s?/\s?\d+(?![\d/]))"
    rf"|(?P<digits>{DIGITS})(?P<percent>\s?%|\s(?:percent|per cent)\b)?"
    rf"|\b(?:(?:(?P<top>{_ones}|an?)[\s-])?(?P<part>half|halves|quarters?|(?<=[\s-])(?:thirds?|fourths?|"
    rf"fifths?|sixths?|eighths?|tenths?)))\b"
    rf"|\b(?P<scaled>(?:{_cardinal}|an?)[\s-](?:hundred|thousand|million))\b"
    rf"|\b(?<!\bno\s)(?P<compound>(?:{_tens})[\s-](?:{_ones})|{_cardinal})\b"
    rf"(?P<word_percent>\s(?:percent|per cent)\b)?"
    rf"|\b(?P<multiple>{'|'.join(_MULTIPLES)})s?\b"
)


def read_digits(text: str) -> Fraction:
    """Return the value of `48`, `1,200`, `2.50` or `.5`."""
    return Fraction(text.replace(",", ""))


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """Return every number in the text, in order; ordinals (`the third day`) and `no one` are not numbers."""
    found = ((match, _read(match)) for match in _PATTERN.finditer(text))
    return tuple(Quantity(read[0], *match.span(), read[1]) for match, read in found if read is not None)


def _read(match: re.Match[str]) -> tuple[Fraction, Form] | None:
    if written := match["mixed"] or match["fraction"]:
        *whole, top, bottom = map(int, re.findall(r"\d+", written))
        # `2 3/2` is no mixed number, and `3/0` no number.
        if bottom == 0 or (whole and top >= bottom):
            return None
        return sum(whole) + Fraction(top, bottom), Form.FRACTION
    if match["digits"]:
        return read_digits(match["digits"]), Form.PERCENT if match["percent"] else Form.DIGITS
    if match["part"]:
        word, count = match["part"].lower(), (match["top"] or "").lower()
        if word not in {"half", "halves", "quarter"} and not count:
            return None
        bottom = 2 if word == "halves" else _PARTS[word.removesuffix("s")]
        return Fraction(CARDINALS.get(count, 1), bottom), Form.WORD
    if match["scaled"]:
        count, scale = re.split(r"[\s-]", match["scaled"].lower())
        return Fraction(CARDINALS.get(count, 1) * _SCALES[scale]), Form.WORD
    if match["compound"]:
        parts = re.split(r"[\s-]", match["compound"].lower())
        form = Form.PERCENT if match["word_percent"] else Form.WORD
        return Fraction(sum(CARDINALS[part] for part in parts)), form
    return Fraction(_MULTIPLES[match["multiple"].lower()]), Form.WORD


def scale_of(question: str, quantity: Quantity) -> Fraction | None:
    """Return 1/100 for `60 cents`, which a solution may count in dollars, 10**6 for `3 million`, or None."""
    match = re.match(r"\s?(cents?|¢|hundred|thousand|million)(?!\w)", question[quantity.end :])
    return Fraction(_SCALES.get(match[1], Fraction(1, 100))) if match else None


def write_plain(value: Fraction) -> str:
    """Write a number without thousands separators: `1200`, `2.5`, `-3`; `7/3` if no decimal is exact."""
    places = decimal_places(value)
    return str(value) if places is None else _fixed(value, places)


def decimal_places(value: Fraction) -> int | None:
    """Return the number of decimal places that write the value exactly; None where none does."""
    below = value.denominator
    # 2**n and 5**n have n places and more than n bits, so there are fewer places than bits.
    return next((places for places in range(below.bit_length()) if 10**places % below == 0), None)


def _fixed(value: Fraction, places: int) -> str:
    digits = str(int(abs(value) * 10**places)).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def write_like(value: Fraction, original: str, form: Form) -> str | None:
    """Write a value the way `original` is written; None where that is impossible without rounding.

    Keeps thousands separators, the number of decimals (more where exactness needs them), the percent sign,
    and number words up to ninety-nine with their capital letter.
    """
    if form is Form.WORD:
        word = number_word(value)
        plain = re.fullmatch(rf"(?:{_cardinal})(?:[\s-](?:{_ones}))?", original, re.IGNORECASE)
        if word is None or plain is None:
            return None
        return word.capitalize() if original[0].isupper() else word
    if form is Form.FRACTION:
        return str(value) if value.denominator > 1 and re.fullmatch(r"\d+/\d+", original) else None
    digits = re.match(DIGITS, original)
    shape = re.fullmatch(r"([\d,]+)(?:\.(\d+))?", digits[0]) if digits else None
    needed = decimal_places(value)
    if digits is None or shape is None or needed is None or value < 0:
        return None
    text = _fixed(value, max(needed, len(shape[2] or "")))
    whole, _, decimals = text.partition(".")
    # A text that writes `200` does not show whether it would write 12345 with a separator: use one.
    if "," in shape[1] or (len(shape[1]) < 4 < len(whole)):
        whole = f"{int(whole):,}"
    return whole + ("." + decimals if decimals else "") + original[digits.end() :]


def number_word(value: Fraction) -> str | None:
    """Return the word for a whole number from 0 to 99 (`twenty-one` for 21); None for any other value."""
    if value.denominator != 1 or not 0 <= value < 100:
        return None
    tens, ones = divmod(int(value), 10)
    if tens < 2:
        return _UNITS[int(value)]
    return _TENS[tens - 2] + (f"-{_UNITS[ones]}" if ones else "")
