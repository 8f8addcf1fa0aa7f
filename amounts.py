"""Numbers as people and programs write them: currencies, reference answers, floats with rounding noise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

CURRENCY_SIGNS = "".join(
    sign for sign in map(chr, range(0x10000)) if unicodedata.category(sign) == "Sc" and sign != "¢"
)
"""Every sign of a currency in the basic plane; `¢` is left out because it counts hundredths."""

DOTTED = ("Rs", "Rp", "Fr", "kr", "Sh")
"""Currencies that may be written with a full stop: `Rs. 600`."""
_NAMES = (
    "RM Ft TL zł Kč Ksh AED AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KES KRW MXN MYR NGN "
    "NOK NZD PHP PKR PLN RMB RUB SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_LETTERS = (*DOTTED, *_NAMES.split())
CURRENCY = (
    rf"(?:(?:(?<![^\W_])|(?<=\dx))(?:(?:(?:{'|'.join(DOTTED)})\.?|{'|'.join(_LETTERS)})(?=\s*(?:[\d.(<−-]|$))|R(?=\d)"
    rf"|[A-Z]{{1,3}}\$)|[{CURRENCY_SIGNS}])"
)
"""A pattern for what says before a number that it is money: `$`, `₺`, `R$`, `Rs.`, `CHF`."""

FLOAT_DIGITS = (16, 17)
"""Significant digits of most floats that were rounded."""
_NUMBER = re.compile(
    rf"(?P<money>{CURRENCY} ?)?(?P<sign>[-−]?)(?P<sum>{CURRENCY} ?)?(?:(?P<whole>\d{{1,30}}) (?=\d+/))?"
    r"(?P<top>(?:[1-9]\d{0,2}(?:,\d{3}){1,9}|\d{1,30})(?:\.\d{1,30})?|\.\d{1,30})"
    r"(?:[eE](?P<power>[-+]?(?:[012]?\d|30))|/(?P<below>\d{1,30}))?"
    rf" ?(?:%|(?P<paid>[{CURRENCY_SIGNS}]|{'|'.join(_LETTERS)}))?\.?",
    re.ASCII,
)


def parse_number(text: str) -> Fraction | None:
    """The number that the text is; None where it is something else, or could be read in two ways.

    It is exact, but for floats (see `as_written`). Commas between thousands, a currency or per cent sign and
    a full stop at the end are passed over.

    >>> parse_number("$1,200.50"), parse_number("-3/4"), parse_number("3 1/2"), parse_number("1,5")
    (Fraction(2401, 2), Fraction(-3, 4), Fraction(7, 2), None)
    """
    match = _NUMBER.fullmatch(text.strip())
    is_latex = match and match["paid"] and (match["money"] or match["sum"])
    return None if not match or match["power"] or is_latex else _value(match, as_written)


def parse_reference(text: str) -> Fraction | None:
    """As `parse_number`, but `$25$` is read too, and floats as a program writes them: noise and exponents.

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
    """The exact number; with as many digits as a rounded float has, the number that this means.

    >>> as_written("0.6666666666666666"), as_written("0.33")
    (Fraction(2, 3), Fraction(33, 100))
    """
    written = Decimal(digits)
    return meant(written) if _significant(written) in FLOAT_DIGITS else Fraction(written)


def meant(number: float | Decimal) -> Fraction:
    """The number that a rounded one stands for: `0.1 + 0.2` is 3/10, `100 / 3` is 100/3.

    Binary and 28-digit decimal arithmetic cannot hold most fractions, so what a program computed is the
    number it means plus rounding noise, and noise shows as a long tail of digits. A whole number, and any
    number with at most 13 significant digits, is taken as it stands. Otherwise it means the fraction with
    a denominator up to 10,000 (within 1e-13 of it), or the number that rounding to 14, 12 or 10 digits
    makes three digits shorter still (within 5e-10, both relative), or, where neither exists, itself.
    Comparison with a reference can then be exact.
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
