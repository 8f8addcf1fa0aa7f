"""Reference answers as exact rationals."""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = re.compile(
    r"[$€£]?(?P<sign>[-−]?)[$€£]? ?(?:(?P<whole>\d{1,30}) (?=\d+/))?"
    r"(?P<top>(?:[1-9]\d{0,2}(?:,\d{3}){1,9}|\d{1,30})(?:\.\d{1,30})?|\.\d{1,30})(?:/(?P<below>\d{1,30}))?"
    r" ?[%$€£]?\.?",
    re.ASCII,
)


def parse_number(text: str) -> Fraction | None:
    """The number that the text is, exactly; None where it is something else, or could be read in two ways.

    Commas between thousands, a currency or per cent sign and a full stop at the end are passed over.

    >>> parse_number("$1,200.50"), parse_number("-3/4"), parse_number("3 1/2"), parse_number("1,5")
    (Fraction(2401, 2), Fraction(-3, 4), Fraction(7, 2), None)
    """
    match = _NUMBER.fullmatch(text.strip())
    if not match:
        return None
    below = int(match["below"] or 1)
    if below == 0:
        return None
    value = Fraction(match["top"].replace(",", "")) / below + int(match["whole"] or 0)
    return -value if match["sign"] else value
