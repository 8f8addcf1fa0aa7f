"""Writes pictures as files for a paper, or as inline SVG that follows a page's light or dark colours."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Final, Literal

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from fdd.errors import printable

INK: Final = "#1A1A1B"
"""Colour of text and axes."""
MUTED: Final = "#9A9B9C"
"""Colour of data that other data stands out from."""
GRID: Final = "#DDDEDF"
PANEL: Final = "#EFF0F1"
"""Colour of the area behind the delivered student."""
PAPER: Final = "#FFFFFE"

PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PANEL: "var(--panel)",
    PAPER: "var(--paper)",
}
"""Colours that `inline` replaces by the page's. It replaces text, so nothing else may have these colours."""

WIDTH = 5.0
"""Width in inches; with 10-point text it is readable on a phone and in a column of a paper."""
DOTS_PER_INCH = 300
_STYLE: dict[RcKeyType, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",  # text stays text, in a font on the reader's machine
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.major.pad": 7,  # room for marks on the axis
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """The numbers of a picture."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The first cell of each row is its heading."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with its text alternatives for people who cannot see it."""

    name: str
    """Base name of its files, and prefix of the ids in its SVG."""
    title: str
    alt: str
    """What it shows, in one or two sentences."""
    draw: Callable[[], Figure]
    table: Table


def save(picture: Picture, kind: Literal["svg", "png"]) -> bytes:
    """Returns the bytes of the picture's file, on a white background. Same numbers give the same bytes."""
    with _drawing(picture.name), BytesIO() as file:
        # Matplotlib writes the date into an SVG unless told otherwise, and the bytes would differ each time.
        metadata = {"Title": picture.title, **({"Date": None} if kind == "svg" else {})}
        picture.draw().savefig(file, format=kind, dpi=DOTS_PER_INCH, facecolor=PAPER, metadata=metadata)
        return file.getvalue()


def inline(picture: Picture) -> Markup:
    """Returns the picture as an `svg` element with the width and colours of its page. It loads nothing."""
    with _drawing(picture.name), StringIO() as file:
        picture.draw().savefig(file, format="svg", facecolor="none", metadata={"Date": None})
        drawn = file.getvalue()
    found = re.search(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>(.*)</svg>', drawn, re.DOTALL)
    assert found
    box, inside = found.groups()
    inside = re.sub(r"<metadata>.*?</metadata>", "", inside, flags=re.DOTALL)
    # Matplotlib uses the same ids in every picture, but an id must be unique within a page.
    inside = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{picture.name}-", inside)
    for colour, variable in PAGE_COLOURS.items():
        inside = re.sub(colour, variable, inside, flags=re.IGNORECASE)
    return Markup(
        f'<svg viewBox="{box}" role="img" aria-labelledby="{picture.name}-title {picture.name}-desc">'
        f'<title id="{picture.name}-title">{escape(picture.title)}</title>'
        f'<desc id="{picture.name}-desc">{escape(printable(picture.alt))}</desc>{inside}</svg>'
    )


@contextmanager
def _drawing(name: str) -> Iterator[None]:
    with rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # In an SVG the text is drawn with the reader's font, which may have the glyph.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield
