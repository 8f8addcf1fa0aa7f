"""Pages from templates in which every text from outside is escaped, whoever wrote it."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from errors import printable


def environment() -> Environment:
    """The templates of this package; an unknown variable is an error, and no value is taken for markup."""
    return Environment(
        loader=PackageLoader("reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inert(value: object) -> object:
    """A value without what no page can show or what would turn its reading order; lines stay lines."""
    if isinstance(value, Markup):
        return value
    return "\n".join(map(printable, str(value).expandtabs(4).split("\n")))
