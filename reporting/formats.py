"""Formats numbers, times and texts for people. Every percentage and interval shown comes from here."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from unicodedata import category

from fdd.domain import Operator
from fdd.errors import printable
from fdd.storage.records import Json
from fdd.storage.summary import EvaluationSummary, TemplateInterval

SEED = "seed"
ORIGINS = (SEED, *Operator)
"""Origins of problems: a seed, or the operator that made it."""
LARGEST_BLOCK = 100_000
"""Most characters of one text that a served page shows."""


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def interval(found: EvaluationSummary | TemplateInterval, between: str = "–") -> str:
    """Formats the ends of a 95 % interval in per cent, without the sign."""
    return f"{100 * found['low']:.1f}{between}{100 * found['high']:.1f}"


def accuracy(entry: EvaluationSummary) -> str:
    return f"{percent(entry['accuracy'])} [{interval(entry, ', ')}]"


def points(change: float) -> str:
    """Formats a change of a share in percentage points."""
    return f"{100 * change:.1f} points"


def signed(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{points(abs(change))}"


def p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


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


def dollars(cost: float) -> str:
    return f"${cost:.4f}"


def duration(seconds: float) -> str:
    if seconds < 0.0995:  # from there on two digits would round to 1e+02 ms
        return f"{1000 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(time: datetime) -> str:
    """Formats a time in UTC, like every time on the pages, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}"


def words(name: str) -> str:
    """Replaces the underscores of a database name by spaces."""
    return name.replace("_", " ")


def student(round: int) -> str:
    return "untaught" if round < 0 else f"round {round}"


def worded(value: Json) -> str:
    """Formats a setting's value as a user would write it."""
    if value is None:
        return "none"
    return ",".join(map(worded, value)) if isinstance(value, list) else str(value)


def printed(value: object) -> str:
    """Returns a value as one line in which no character acts."""
    return printable(str(value))


def inert(value: object) -> str:
    """Replaces a text's control and text-direction characters by blanks. Line breaks are kept."""
    return "\n".join(map(printable, str(value).expandtabs(4).split("\n")))


def visible(value: object) -> object:
    """Names characters that are invisible or change the text direction, such as ⟨U+202E⟩; cuts long texts."""
    if not isinstance(value, str):
        return "–" if value is None else value
    text = value[:LARGEST_BLOCK]
    if not text.isprintable():
        text = "".join(c if _is_seen(c) else f"⟨U+{ord(c):04X}⟩" for c in text)
    left = len(value) - LARGEST_BLOCK
    return f"{text} ⟨and {count(left)} more characters⟩" if left > 0 else text


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or category(character) == "Zs"
