"""The template environment of HTML pages. It escapes every value that is not already `Markup`."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fdd.errors import printable


def environment() -> Environment:
    """Returns the environment for this package's templates. An unknown variable raises an error."""
    return Environment(
        loader=PackageLoader("fdd.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inert(value: object) -> object:
    """Replaces a value's control and text-direction characters by blanks. Line breaks are kept."""
    if isinstance(value, Markup):
        return value
    return "\n".join(map(printable, str(value).expandtabs(4).split("\n")))
