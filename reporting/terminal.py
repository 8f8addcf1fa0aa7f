"""Terminal output. Text from outside is printed as plain lines, without markup or escape sequences."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from fdd.errors import printable


def terminal(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def shown(text: str, style: str = "") -> Text:
    """Returns outside text as one line in which neither rich's markup nor terminal escapes take effect."""
    return Text(printable(text), style)


def block(text: str, style: str = "", *, inset: int = 0) -> Text:
    """Does the same for a text of several lines, indented by `inset` columns."""
    return Text("\n").join(shown(" " * inset + line.rstrip(), style) for line in text.splitlines())
