"""Draws the charts of a report: accuracy, growth of the training set, yield, solve rates, band flows.

The colours of the data are those of Okabe and Ito, "Color Universal Design" (2008), which people with any
kind of colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import nan

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fdd.domain import Band
from fdd.errors import printable
from fdd.reporting.pictures import INK, MUTED, PANEL, PAPER, WIDTH
from fdd.reporting.results import Results

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"

Counts = Mapping[str, Sequence[int]]
"""For each series (one colour), a number for each bar."""

LINES = ((BLUE, "o", "-"), (VERMILLION, "s", "--"), (GREEN, "^", ":"), (PURPLE, "D", "-."), (INK, "v", "-"))
ORIGIN_COLOURS = {"seed": MUTED, "similar": SKY, "harder": ORANGE, "simpler": GREEN}
OUTCOME_COLOURS = {"accepted": GREEN, "quarantined": VERMILLION, "call failed": MUTED, "kept out": PURPLE}
BAND_COLOURS: Mapping[str, str] = {Band.EASY: SKY, Band.MIXED: MUTED, Band.HARD: ORANGE}
STEPS = (1, 2, 5, 10)
"""Distances between ticks, times powers of ten."""
MOST_TICKS = 6
"""Most percentages that fit next to each other under an axis."""
LONGEST_NAME = 24
"""Most characters of a name in a legend or beside an axis."""
WIDEST_BAR = 0.12
"""Greatest width of a bar, as a share of the axis from 0 to 100 %."""


def short(name: str) -> str:
    """Returns a name from outside without control characters, cut to `LONGEST_NAME`."""
    text = printable(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def heading(round: int) -> str:
    """Names a student below "student after round"."""
    return "untaught" if round < 0 else str(round)


def accuracy(results: Results, rounds: Sequence[int], undone: set[int], delivered: int | None) -> Figure:
    """Draws one line per evaluation set, with intervals. Markers of undone rounds are hollow.

    The axis has the students of all `rounds`; the delivered one is shown shaded.
    """
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.add_subplot()
    for number, (name, found) in enumerate(results.items()):
        colour, marker, dashes = LINES[number % len(LINES)]
        # Sets are shifted sideways so that their intervals do not cover each other.
        places = [rounds.index(round) + 0.12 * (number - (len(results) - 1) / 2) for round in found]
        shares = [entry["accuracy"] for entry in found.values()]
        spread = [
            [max(0.0, entry["accuracy"] - entry["low"]) for entry in found.values()],
            [max(0.0, entry["high"] - entry["accuracy"]) for entry in found.values()],
        ]
        axes.errorbar(places, shares, yerr=spread, fmt="none", ecolor=colour, elinewidth=1.2, capsize=2.5)
        draw = partial(axes.plot, color=colour, marker=marker, clip_on=False)
        label = short(name)
        draw(places, shares, linestyle=dashes, label=label)
        for round, place, share in zip(found, places, shares, strict=True):
            if round in undone:
                draw([place], [share], markerfacecolor=PAPER)
    if delivered in rounds:
        place = rounds.index(delivered)
        axes.axvspan(place - 0.35, place + 0.35, color=PANEL, linewidth=0, zorder=0)
    axes.set_xticks(range(len(rounds)), list(map(heading, rounds)))
    axes.set_xlim(-0.4, len(rounds) - 0.6)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("student after round")
    axes.set_title("accuracy")
    _legend(figure, axes, min(3, len(results)))
    return figure


def growth(rounds: Sequence[str], counts: Counts) -> Figure:
    """Draws one bar per round, stacked by the origin of its problems."""
    places = range(len(rounds))
    figure, axes = _panels({"problems in the training set": counts}, places, ORIGIN_COLOURS, height=2.1)
    axes.set_xticks(places, rounds)
    axes.set_xlabel("round")
    return figure


def outcomes(rows: Sequence[str], counts: Counts) -> Figure:
    """Draws one horizontal bar per round and origin, stacked by what became of its problems."""
    figure = Figure(figsize=(WIDTH, 1.2 + 0.3 * len(rows)))
    axes = figure.add_subplot()
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x")
    lefts = [0] * len(rows)
    for name, widths in counts.items():
        colour = OUTCOME_COLOURS[name]
        bars = axes.barh(range(len(rows)), widths, left=lefts, color=colour, label=name, height=0.72)
        _write_in(axes, bars, widths, 0.06 * _longest(counts))
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.set_xlim(0, 1.05 * max(1, *lefts))
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))
    axes.set_xlabel("problems (kept out: questions)")
    _legend(figure, axes, 3 if len(counts) <= 3 else 2)
    return figure


def solve_rates(shares: Sequence[float], panels: Mapping[str, Counts]) -> Figure:
    """Draws one histogram per student, with a bar at each share in `shares`."""
    gaps = [after - before for before, after in pairwise(shares)]
    width = min([WIDEST_BAR, *(0.8 * gap for gap in gaps)])
    figure, axes = _panels(panels, shares, ORIGIN_COLOURS, width=width)
    axes.set_xlim(-0.1, 1.1)
    if len(shares) <= MOST_TICKS:
        axes.set_xticks(shares)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("samples answered rightly")
    return figure


def flows(panels: Mapping[str, Mapping[tuple[Band, Band], int]]) -> Figure:
    """Draws one bar for each band before, stacked by the band after."""
    after: dict[str, Counts] = {
        title: {band: [counts.get((before, band), 0) for before in Band] for band in Band}
        for title, counts in panels.items()
    }
    figure, axes = _panels(after, range(len(Band)), BAND_COLOURS)
    axes.set_xticks(range(len(Band)), list(Band))
    axes.set_xlabel("band before (colours: band after)")
    return figure


def heat_map(names: Sequence[str], rounds: Sequence[int], shares: Sequence[Sequence[float | None]]) -> Figure:
    """Draws a row for each name and a column for each round, in colours that also differ in brightness."""
    figure = Figure(figsize=(WIDTH, 0.9 + 0.17 * len(names)))
    axes = figure.add_subplot()
    # Cividis can be read with any kind of colour vision, and in black and white. Pages show no bitmaps, so
    # this is not `imshow`, and has eleven steps: a colour bar of more than 50 would be a bitmap.
    mesh = axes.pcolormesh(
        [[nan if share is None else share for share in row] for row in shares],
        cmap=colormaps["cividis"].resampled(11),
        vmin=0,
        vmax=1,
        edgecolors=PAPER,
        linewidth=0.5,
    )
    axes.invert_yaxis()  # the first name comes first
    axes.set_yticks([place + 0.5 for place in range(len(names))], [short(name) for name in names], fontsize=7)
    axes.set_xticks([place + 0.5 for place in range(len(rounds))], [heading(round) for round in rounds])
    axes.set_xlabel("student after round")
    axes.grid(visible=False)
    bar = figure.colorbar(mesh, ax=axes, location="top", shrink=0.5, aspect=30)
    bar.ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    bar.set_label("probes answered rightly")
    return figure


def _panels(
    panels: Mapping[str, Counts],
    places: Sequence[float],
    colours: Mapping[str, str],
    *,
    width: float = 0.6,
    height: float = 1.25,
) -> tuple[Figure, Axes]:
    """Draws stacked bars at the same places in each panel, one panel above the other, with one legend.

    `height` is that of a panel in inches. Also returns the lowest axes, whose ticks belong to all panels.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + height * len(panels)))
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, counts) in zip(every, panels.items(), strict=True):
        _stack(axes, places, counts, colours, width)
        axes.set_title(title)
    _legend(figure, every[0], 3)
    return figure, every[-1]


def _stack(
    axes: Axes, places: Sequence[float], counts: Counts, colours: Mapping[str, str], width: float
) -> None:
    bottoms = [0] * len(places)
    longest = _longest(counts)
    for name, heights in counts.items():
        bars = axes.bar(places, heights, width, bottom=bottoms, color=colours[name], label=name)
        _write_in(axes, bars, heights, 0.09 * longest)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    for place, total in zip(places, bottoms, strict=True):
        if total:
            # Not part of the layout, or a long number would shrink the axes.
            axes.text(place, total + 0.02 * longest, str(total), ha="center", in_layout=False)
    axes.set_ylim(0, 1.15 * max(1, longest))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))


def _write_in(axes: Axes, bars: BarContainer, sizes: Sequence[int], room: float) -> None:
    """Writes its size into each bar that has room for it."""
    texts = [str(size) if size > room else "" for size in sizes]
    axes.bar_label(bars, texts, label_type="center", fontsize=8, color="#000000", in_layout=False)


def _longest(counts: Counts) -> int:
    return max(map(sum, zip(*counts.values(), strict=True)), default=0)


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=columns)
