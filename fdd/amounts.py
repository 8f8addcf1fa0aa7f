"""Parses numbers as people and programs write them: money, reference answers, floats with rounding noise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

CURRENCY_SIGNS = "".join(
    sign for sign in map(chr, range(0x10000)) if unicodedata.category(sign) == "Sc" and sign != "¢"
)
"""Every currency sign of Unicode's basic plane except `¢`, which counts hundredths."""

DOTTED = ("Rs", "Rp", "Fr", "kr", "Sh")
"""Currency abbreviations that may be followed by a full stop: `Rs. 600`."""
_NAMES = (
    "RM Ft TL zł Kč Ksh AED AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KES KRW MXN MYR NGN "
    "NOK NZD PHP PKR PLN RMB RUB SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_LETTERS = (*DOTTED, *_NAMES.split())
CURRENCY = (
    rf"(?:(?:(?<![^\W_])|(?<=\dx))(?:(?:(?:{'|'.join(DOTTED)})\.?|{'|'.join(_LETTERS)})(?=\s*(?:[\d.(<−-]|$))|R(?=\d)"
    rf"|[A-Z]{{1,3}}\$)|[{CURRENCY_SIGNS}])"
)
"""Pattern of a currency before a number: `$`, `₺`, `R$`, `Rs.`, `CHF`."""

FLOAT_DIGITS = (16, 17)
"""Significant digits that most rounded binary floats are printed with."""
# Digits and exponents are limited to 30, so that exact arithmetic on hostile text stays cheap.
_NUMBER = re.compile(
    rf"(?P<money>{CURRENCY} ?)?(?P<sign>[-−]?)(?P<sum>{CURRENCY} ?)?(?:(?P<whole>\d{{1,30}}) (?=\d+/))?"
    r"(?P<top>(?:[1-9]\d{0,2}(?:,\d{3}){1,9}|\d{1,30})(?:\.\d{1,30})?|\.\d{1,30})"
    r"(?:[eE](?P<power>[-+]?(?:[012]?\d|30))|/(?P<below>\d{1,30}))?"
    rf" ?(?:%|(?P<paid>[{CURRENCY_SIGNS}]|{'|'.join(_LETTERS)}))?\.?",
    re.ASCII,
)


def parse_number(text: str) -> Fraction | None:
    """Parses a text that is one number. Returns None for anything else, and for an ambiguous number.

    The result is exact, except for rounded floats (see `as_written`). Ignores commas between thousands, a
    currency or per cent sign, and a full stop at the end.

    >>> parse_number("$1,200.50"), parse_number("-3/4"), parse_number("3 1/2"), parse_number("1,5")
    (Fraction(2401, 2), Fraction(-3, 4), Fraction(7, 2), None)
    """
    match = _NUMBER.fullmatch(text.strip())
    is_latex = match and match["paid"] and (match["money"] or match["sum"])
    return None if not match or match["power"] or is_latex else _value(match, as_written)


def parse_reference(text: str) -> Fraction | None:
    """Parses like `parse_number`, but also accepts `$25$`, exponents, and floats with rounding noise.

    >>> parse_reference("0.6666666666666666"), parse_reference("2.5e-06")
    (Fraction(2, 3), Fraction(1, 400000))
    """
    match = _NUMBER.fullmatch(text.strip())
    return _value(match, lambda written: meant(Decimal(written))) if match else None


def _value(match: re.Match[str], read: Callable[[str], Fraction]) -> Fraction | None:
    top, below, whole = match["top"].replace(",", ""), int(match["below"] or 1), match["whole"]
    value = read(f"{top}e{match['power'] or 0}")
    if below == 0 or (whole and value >= below):
        return None
    value = value / below + int(whole or 0)
    return -value if match["sign"] else value


def as_written(digits: str) -> Fraction:
    """Returns the exact number. If it has as many digits as a rounded float, returns what that float means.

    >>> as_written("0.6666666666666666"), as_written("0.33")
    (Fraction(2, 3), Fraction(33, 100))
    """
    written = Decimal(digits)
    return meant(written) if _significant(written) in FLOAT_DIGITS else Fraction(written)


def meant(number: float | Decimal) -> Fraction:
    """Returns the number that a rounded one stands for: `0.1 + 0.2` is 3/10, `100 / 3` is 100/3.

    Binary and 28-digit decimal arithmetic cannot represent most fractions exactly. A computed number is
    therefore the intended one plus rounding noise, which shows as a long tail of digits. Removing the noise
    makes an exact comparison with a reference possible. The result is the first of these that applies:

    - the number itself, if it is whole or has at most 13 significant digits;
    - the nearest fraction with a denominator up to 10,000, if the relative difference is at most 1e-13;
    - the number rounded to 14, 12 or 10 digits, if at least three of these digits are then trailing zeros
      (relative difference at most 5e-10);
    - the number itself.
    """
    written = Decimal(repr(number)) if isinstance(number, float) else number
    exact = Fraction(written)
    if exact.denominator == 1 or _significant(written) <= 13:
        return exact
    near = exact.limit_denominator(10_000)
    if abs(near - exact) * 10**13 <= abs(exact):
        return near
    for digits in (14, 12, 10):
        rounded = Context(prec=digits).plus(written)
        if _significant(rounded) <= digits - 3:
            return Fraction(rounded)
    return exact


def _significant(number: Decimal) -> int:
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))
