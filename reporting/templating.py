"""Renders pages (HTML), cards (Markdown) and plain texts from template files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fdd.errors import one_line
from fdd.reporting import formats

FILTERS = (
    *(formats.accuracy, formats.clock, formats.count, formats.dollars, formats.duration, formats.interval),
    *(formats.moment, formats.number, formats.p_value, formats.percent, formats.points, formats.signed),
    *(formats.student, formats.worded, formats.words, one_line),
)


def environment(package: str, clean: Callable[[object], object], *, html: bool = True) -> Environment:
    """Returns the environment for the templates of a package. An unknown variable raises an error.

    Every value passes through `clean`, except `Markup`. With `html` it is then escaped.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=html,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else clean(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    environment.filters |= {each.__name__: each for each in FILTERS}
    return environment


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


def render(template: str, **values: object) -> str:
    """Renders a Markdown template of this package. Values are escaped unless they are `Markdown`."""
    return environment("fdd.reporting", escape, html=False).get_template(template).render(values)
