"""Renders Markdown from template files. Values are escaped as plain text unless they are `Markdown`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fdd.errors import one_line

FOLDER = Path(__file__).parent / "templates"

_MARKS = re.compile(r"[$&*<>@\[\\\]_`|~]|:(?=//)|(?<=\bmailto):|(?<=\bxmpp):|(?<=\bwww)\.", re.IGNORECASE)
"""Characters that can start a link, image, emphasis, code, HTML, formula, mention or table cell in a line."""


class Markdown(str):
    """Text that is already Markdown, written by us, and is not escaped."""

    __slots__ = ()


def escape(value: object) -> str:
    """Escapes a value so that Markdown shows it literally, on one line. Returns `Markdown` unchanged."""
    if isinstance(value, Markdown):
        return value
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", one_line(str(value)))


def literal(text: str) -> Markdown:
    """Returns the text as a one-line Python literal, for a code block."""
    plain = text.replace("\n", "").isprintable()
    return Markdown(json.dumps(text, ensure_ascii=False) if plain else repr(text))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    undefined=StrictUndefined,
    autoescape=False,  # that would be HTML; `finalize` escapes for Markdown
    finalize=escape,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **values: object) -> str:
    """Renders the template with this file name. A missing variable raises `jinja2.UndefinedError`."""
    return _ENVIRONMENT.get_template(template).render(values)
