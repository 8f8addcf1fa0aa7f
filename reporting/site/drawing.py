"""Layout of the pictures that the pages draw as SVG: the outer graph, and accuracy by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fdd.storage.summary import BASELINE_ROUND, EvaluationSummary, Summary

WIDTH, HEIGHT = 380, 668
"""Size of the graph in SVG units."""
BOX_WIDTH, BOX_HEIGHT = 146, 44
LEFT, MIDDLE, RIGHT, RETURN = 76, 170, 272, 366
"""x of the three columns of boxes, and of the line that leads back to the next round."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the graph; `x` and `y` are the centre of its box."""

    name: str
    x: int
    y: int

    @property
    def is_border(self) -> bool:
        """Whether it is the start or the end of the graph, where nothing is done."""
        return self.name.startswith("__")

    @property
    def half_width(self) -> int:
        return 8 if self.is_border else BOX_WIDTH // 2

    @property
    def half_height(self) -> int:
        return 8 if self.is_border else BOX_HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge of the graph. `label` says when it is taken; empty means always."""

    start: str
    end: str
    label: str = ""

    @property
    def path(self) -> str:
        """The edge as SVG path data."""
        start, end = BOXES[self.start], BOXES[self.end]
        # Only the edge back to the next round leads upwards; it goes around the boxes on the right.
        if end.y < start.y:
            side = start.x + start.half_width, end.x + end.half_width + 2
            return f"M{side[0]} {start.y} H{RETURN} V{end.y} H{side[1]}"
        top, bottom = start.y + start.half_height, end.y - end.half_height - 2
        middle = (top + bottom) / 2
        return f"M{start.x} {top} C{start.x} {middle:g} {end.x} {middle:g} {end.x} {bottom}"

    @property
    def label_at(self) -> tuple[float, float]:
        start, end = BOXES[self.start], BOXES[self.end]
        beside = 34 if end.x > start.x else -34
        return (start.x + end.x) / 2 + beside, (start.y + end.y) / 2 + 4


BOXES = {
    box.name: box
    for box in (
        Box("__start__", MIDDLE, 12),
        Box("seed", MIDDLE, 60),
        Box("teach", MIDDLE, 132),
        Box("baseline", LEFT, 214),
        Box("practise", RIGHT, 204),
        Box("probe_children", RIGHT, 270),
        Box("fine_tune", MIDDLE, 342),
        Box("evaluate", MIDDLE, 410),
        Box("probe", RIGHT, 490),
        Box("test", LEFT, 490),
        Box("report", LEFT, 562),
        Box("synthesize", RIGHT, 562),
        Box("__end__", LEFT, 634),
    )
}
ARROWS = (
    Arrow("__start__", "seed"),
    Arrow("seed", "teach"),
    Arrow("teach", "baseline", "first"),
    Arrow("teach", "practise", "later"),
    Arrow("baseline", "fine_tune"),
    Arrow("practise", "probe_children"),
    Arrow("probe_children", "fine_tune"),
    Arrow("fine_tune", "evaluate"),
    Arrow("evaluate", "probe", "again"),
    Arrow("evaluate", "test", "done"),
    Arrow("probe", "synthesize"),
    Arrow("synthesize", "teach"),
    Arrow("test", "report"),
    Arrow("report", "__end__"),
)

CHART_WIDTH, CHART_HEIGHT = 300, 170
_PLOT = (42, 22, 290, 140)
"""Left, top, right and bottom of the plot."""


_SCALES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Accuracies at which the axis may end; the smallest that shows every interval is used."""
MOST_VALUES = 8
"""Most points of a chart for which there is room to write their values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One student's accuracy in SVG units, and as text in percent."""

    x: float
    y: float
    low: float
    high: float
    label: str
    kept: bool
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Accuracy on one evaluation set, by round."""

    name: str
    n: int
    """Number of problems that the last student was asked."""
    ticks: Sequence[tuple[float, str]]
    """y in SVG units, and label in percent."""
    points: Sequence[Point]
    line: str
    """The line through the kept students, as SVG point data."""
    first: EvaluationSummary
    best: EvaluationSummary
    """Result of the delivered student; of the last one if that has no result on this set."""
    best_round: int


def accuracy_charts(summary: Summary, delivered: int) -> list[Chart]:
    """Returns one chart per evaluation set, all with the same scale: `in-domain` first, `dev` last.

    `delivered` is the round of the student that the run delivers, -1 for the untaught one.
    """
    results: dict[str, list[tuple[int, EvaluationSummary, bool]]] = {}
    for entry in summary["baseline"]["evaluations"]:
        results.setdefault(entry["name"], []).append((BASELINE_ROUND, entry, True))
    for row in summary["rounds"]:
        kept = row["decision"] is None or row["decision"]["kept"]
        for entry in row["evaluations"]:
            results.setdefault(entry["name"], []).append((row["round"], entry, kept))
    top = max((entry["high"] for rows in results.values() for _, entry, _ in rows), default=1.0)
    scale = next(step for step in _SCALES if top <= step)
    names = sorted(results, key=lambda name: (name == "dev", name != "in-domain", name))
    return [_chart(name, results[name], scale, delivered) for name in names]


def _chart(
    name: str, rows: Sequence[tuple[int, EvaluationSummary, bool]], scale: float, delivered: int
) -> Chart:
    left, top, right, bottom = _PLOT

    def height(share: float) -> float:
        return bottom - (bottom - top) * share / scale

    step = (right - left) / len(rows)
    points = [
        Point(
            x=left + step * (place + 0.5),
            y=height(entry["accuracy"]),
            low=height(entry["low"]),
            high=height(entry["high"]),
            label="untaught" if round < 0 else str(round),
            kept=kept,
            text=f"{100 * entry['accuracy']:.1f}".removesuffix(".0"),
        )
        for place, (round, entry, kept) in enumerate(rows)
    ]
    best_round, best = next(((round, entry) for round, entry, _ in rows if round == delivered), rows[-1][:2])
    return Chart(
        name=name,
        n=rows[-1][1]["n"],
        ticks=[(height(share), f"{100 * share:.0f}") for share in (0, scale / 2, scale)],
        points=points,
        line=" ".join(f"{point.x:.1f},{point.y:.1f}" for point in points if point.kept),
        first=rows[0][1],
        best=best,
        best_round=best_round,
    )
