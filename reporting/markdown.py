"""Markdown from template files; what is filled in is plain text unless it says otherwise."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from errors import one_line

FOLDER = Path(__file__).parent / "templates"

_MARKS = re.compile(r"[$&*<>@\[\\\]_`|~]|:(?=//)|(?<=\bmailto):|(?<=\bxmpp):|(?<=\bwww)\.", re.IGNORECASE)
"""What begins, within a line, a link, an image, emphasis, code, HTML, a formula, a mention or a cell."""


class Markdown(str):
    """Text that is Markdown already, written by us."""

    __slots__ = ()


def escape(value: object) -> str:
    """The value as text that Markdown shows as it stands, within a line; `Markdown` is left as it is."""
    if isinstance(value, Markdown):
        return value
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", one_line(str(value)))


def literal(text: str) -> Markdown:
    """The text as a Python literal of one line, for a block of code."""
    plain = text.replace("\n", "").isprintable()
    return Markdown(json.dumps(text, ensure_ascii=False) if plain else repr(text))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    undefined=StrictUndefined,
    autoescape=False,
    finalize=escape,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **values: object) -> str:
    """The template of this file name; a variable that is missing raises jinja2's error."""
    return _ENVIRONMENT.get_template(template).render(values)
