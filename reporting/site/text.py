"""How values are written on a page."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from unicodedata import category

LARGEST_BLOCK = 100_000
"""Characters of one text that a page shows."""
_BLANKS = "\n\t"


def visible(text: str) -> str:
    """The text with a name for each character that a reader would not see or that would turn the order."""
    if text.isprintable():
        return text
    return "".join(c if _is_seen(c) else f"⟨U+{ord(c):04X}⟩" for c in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _BLANKS or category(character) == "Zs"


def shown(value: object) -> object:
    """What a template writes for a value; escaping follows."""
    if type(value) is str:
        return visible(value) if len(value) <= LARGEST_BLOCK else _beginning(value)
    return "–" if value is None else value


def _beginning(text: str) -> str:
    return f"{visible(text[:LARGEST_BLOCK])} ⟨and {count(len(text) - LARGEST_BLOCK)} more characters⟩"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def signed(change: float) -> str:
    """Of shares, in percentage points."""
    return f"{100 * change:+.1f}".replace("-", "−") + " points"


def number(value: Fraction | float | None) -> str:
    """Exact; a fraction with its decimal value behind it."""
    if value is None:
        return "none"
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{value} ≈ {float(value):.6g}" if abs(value) < 10**12 else str(value)
    return str(value)


def count(value: int) -> str:
    """With thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    if seconds < 0.0995:
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
    """To the second, as every time here in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}"


def words(name: str) -> str:
    """A name of the tables as people write it."""
    return name.replace("_", " ")


def student(round: int) -> str:
    """The student after a round."""
    return "untaught" if round < 0 else f"round {round}"
