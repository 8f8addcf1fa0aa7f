"""The terminal: text from outside comes to it as plain lines."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from errors import printable


def terminal(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def shown(text: str, style: str = "") -> Text:
    """Text from outside as a line: rich reads no markup in it, the terminal no escapes."""
    return Text(printable(text), style)


def block(text: str, style: str = "", *, inset: int = 0) -> Text:
    """The same for a text of several lines, so many columns from the left."""
    return Text("\n").join(shown(" " * inset + line.rstrip(), style) for line in text.splitlines())
