"""Reference answers as exact rationals."""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = re.compile(r"(?P<sign>-?)(?P<digits>\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})(?:/(?P<below>\d{1,30}))?")
_DECORATION = str.maketrans({"−": "-", ",": None, "$": None, "€": None, "£": None, "%": None, " ": None})


def parse_number(text: str) -> Fraction | None:
    """The number that the text is, exactly; None where it is something else.

    Thousands separators, a currency or per cent sign and a full stop at the end are passed over.

    >>> parse_number("$1,200.50"), parse_number("-3/4"), parse_number("ten")
    (Fraction(2401, 2), Fraction(-3, 4), None)
    """
    plain = text.strip().translate(_DECORATION).removesuffix(".")
    match = _NUMBER.fullmatch(plain)
    if not match or not plain.isascii():
        return None
    below = int(match["below"] or 1)
    return Fraction(match["sign"] + match["digits"]) / below if below else None
