"""Formats values for a page."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from unicodedata import category

LARGEST_BLOCK = 100_000
"""Most characters of one text that a page shows."""
_BLANKS = "\n\t"


def visible(text: str) -> str:
    """Replaces characters that are invisible or change the text direction by names such as ⟨U+202E⟩."""
    if text.isprintable():
        return text
    return "".join(c if _is_seen(c) else f"⟨U+{ord(c):04X}⟩" for c in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _BLANKS or category(character) == "Zs"


def shown(value: object) -> object:
    """Formats a value for a template, which escapes the result."""
    if type(value) is str:  # not its subclass Markup, which is already escaped
        return visible(value) if len(value) <= LARGEST_BLOCK else _beginning(value)
    return "–" if value is None else value


def _beginning(text: str) -> str:
    return f"{visible(text[:LARGEST_BLOCK])} ⟨and {count(len(text) - LARGEST_BLOCK)} more characters⟩"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def signed(change: float) -> str:
    """Formats a change of a share in percentage points."""
    return f"{100 * change:+.1f}".replace("-", "−") + " points"


def number(value: Fraction | float | None) -> str:
    """Formats a number exactly; a fraction is followed by its decimal value if it is below 10**12."""
    if value is None:
        return "none"
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{value} ≈ {float(value):.6g}" if abs(value) < 10**12 else str(value)
    return str(value)


def count(value: int) -> str:
    """Formats an integer with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    if seconds < 0.0995:  # from there on two digits would round to 1e+02 ms
        return f"{1000 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def dollars(cost: float) -> str:
    return f"${cost:.4f}"


def moment(time: datetime) -> str:
    """Formats a time in UTC, like every time on the pages, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}"


def words(name: str) -> str:
    """Replaces the underscores of a database name by spaces."""
    return name.replace("_", " ")


def student(round: int) -> str:
    """Names the student that was trained in a round; a negative round is the untaught one."""
    return "untaught" if round < 0 else f"round {round}"
