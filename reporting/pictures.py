"""Pictures as files for a paper and as SVG inside a page, whose colours follow the page's light or dark.

The data colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any kind of
colour vision can tell apart.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Final, Literal

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from errors import printable
from reporting.tables import Table

BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
YELLOW: Final = "#F0E442"
INK: Final = "#1A1A1B"
"""Text and axes."""
MUTED: Final = "#9A9B9C"
"""Data that is the background of other data."""
GRID: Final = "#DDDEDF"
PANEL: Final = "#EFF0F1"
"""Behind what is marked."""
PAPER: Final = "#FFFFFE"

PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PANEL: "var(--panel)",
    PAPER: "var(--paper)",
}
"""What changes with the page; no other thing in a picture may have these colours."""

WIDTH = 5.0
"""Inches; with text of 10 points it can be read on a phone and in a column of a paper."""
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
    "svg.fonttype": "none",  # text stays text, in a font of the reader's
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.major.pad": 7,  # room for marks on the axis
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with everything that somebody needs who cannot see it."""

    name: str
    """Of its files."""
    title: str
    alt: str
    """What it shows, in a sentence or two."""
    draw: Callable[[], Figure]
    table: Table


def label(text: str, longest: int = 24) -> str:
    """A name from outside as it may stand in a picture."""
    line = printable(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def save(picture: Picture, kind: Literal["svg", "png"]) -> bytes:
    """The file of a picture, on a white background: the same bytes for the same numbers."""
    with _drawing(picture.name), BytesIO() as file:
        metadata = {"Title": picture.title, **({"Date": None} if kind == "svg" else {})}
        picture.draw().savefig(file, format=kind, dpi=DOTS_PER_INCH, facecolor=PAPER, metadata=metadata)
        return file.getvalue()


def inline(picture: Picture) -> Markup:
    """The picture as an `svg` element that loads nothing and takes the width and the colours of its page."""
    with _drawing(picture.name), StringIO() as file:
        picture.draw().savefig(file, format="svg", facecolor="none", metadata={"Date": None})
        drawn = file.getvalue()
    found = re.search(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>(.*)</svg>', drawn, re.DOTALL)
    assert found
    box, inside = found.groups()
    inside = re.sub(r"<metadata>.*?</metadata>", "", inside, flags=re.DOTALL)
    # Names that matplotlib gives to parts are the same in every picture, and a page must have each once.
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
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's font may well have it
        yield
