"""What a study found: differences between its default arm and each other one, paired by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypedDict

from matplotlib.figure import Figure

from fdd.agents.statistics import Paired, clustered_mean, paired
from fdd.errors import UsageError
from fdd.reporting.charts import BLUE
from fdd.reporting.pictures import INK, MUTED, WIDTH, Picture, Table
from fdd.rundir.study import Row, Study


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The default arm less another one, in points of accuracy on the endpoint."""

    arm: str
    differences: Mapping[int, float]
    """By seed."""
    paired: Paired | None
    """None with fewer than two pairs."""
    templates: tuple[float, float] | None
    """95 % interval of the mean difference over templates; None where the problems have none."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The result of a study, or of the part of it that is finished."""

    study: Study
    arms: Mapping[str, Sequence[Row]]
    """Finished rows by arm, in the order of the plan."""
    comparisons: tuple[Comparison, ...]

    @property
    def interim(self) -> bool:
        """Whether pairs are missing that were planned, so that nothing may be concluded yet."""
        planned = self.study.plan.planned
        return any(len(each.differences) < planned(each.arm) for each in self.comparisons)


class ComparisonJson(TypedDict):
    arm: str
    pairs: int
    mean: float | None
    low: float | None
    high: float | None
    p: float | None


class AnalysisJson(TypedDict):
    """What `study --report --json` prints; differences in points."""

    endpoint: str
    interim: bool
    comparisons: list[ComparisonJson]


def analyse(study: Study) -> Analysis:
    """Pairs the finished rows by seed; the plan says what is compared, so nothing is chosen here.

    Raises `UsageError` if the endpoint names a set that the students were not asked.
    """
    rows = study.rows()
    for name in study.plan.endpoint.split("+"):
        for row in rows:
            if name not in row.results:
                known = ", ".join(row.results)
                raise UsageError(f"{str(study.file)!r}: endpoint {name!r} is none of the test sets {known}")
    arms = {arm: [row for row in rows if row.arm == arm] for arm in study.plan.arms}
    default = {row.seed: row for row in arms[study.plan.default]}
    others = [arm for arm in study.plan.arms if arm != study.plan.default]
    return Analysis(
        study=study,
        arms=arms,
        comparisons=tuple(_compare(arm, default, arms[arm], study.plan.endpoint) for arm in others),
    )


def _compare(arm: str, default: Mapping[int, Row], rows: Sequence[Row], endpoint: str) -> Comparison:
    both = {row.seed: (default[row.seed], row) for row in rows if row.seed in default}
    differences = {
        seed: accuracy(ours, endpoint) - accuracy(theirs, endpoint) for seed, (ours, theirs) in both.items()
    }
    clusters: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for ours, theirs in both.values():
        for name in endpoint.split("+"):
            size = sum(n for _, n in ours.results[name].values())
            for template, (right, n) in ours.results[name].items():
                clusters[template][0] += 100 * (right - theirs.results[name][template][0]) / size
                clusters[template][1] += n / size  # so that every set counts as much as the others
    has_templates = len(clusters) > 1 and "" not in clusters
    return Comparison(
        arm=arm,
        differences=differences,
        paired=paired(list(differences.values())) if len(differences) > 1 else None,
        templates=clustered_mean([(total, size) for total, size in clusters.values()])
        if has_templates
        else None,
    )


def accuracy(row: Row, endpoint: str) -> float:
    """Returns the accuracy of a student in percent: the mean over the sets of the endpoint."""
    counts = [row.results[name].values() for name in endpoint.split("+")]
    return fmean(100 * sum(right for right, _ in each) / sum(n for _, n in each) for each in counts)


def as_json(found: Analysis) -> AnalysisJson:
    return {
        "endpoint": found.study.plan.endpoint,
        "interim": found.interim,
        "comparisons": [
            {
                "arm": each.arm,
                "pairs": len(each.differences),
                "mean": each.paired.mean if each.paired else None,
                "low": each.paired.low if each.paired else None,
                "high": each.paired.high if each.paired else None,
                "p": each.paired.p if each.paired else None,
            }
            for each in found.comparisons
        ],
    }


ARMS = ("arm", "students", "accuracy", "problems", "steps", "seconds", "seconds per point")
"""Where the endpoint is a mean of several sets, the accuracy on each of them follows the mean."""
DIFFERENCES = ("arm", "pairs", "mean", "95 %", "p", "sign test", "over templates", "visible")


def arm_table(found: Analysis) -> Table:
    """A row for each arm, with means over its students."""
    endpoint = found.study.plan.endpoint
    sets = endpoint.split("+") if "+" in endpoint else []
    headings = (*ARMS[:3], *sets, *ARMS[3:])
    empty = ("",) * (len(headings) - 2)
    rows = [
        _arm_row(arm, rows, endpoint, sets) if rows else (arm, "0", *empty)
        for arm, rows in found.arms.items()
    ]
    return Table(caption=f"Accuracy on {endpoint}", headings=headings, rows=tuple(rows))


def _arm_row(arm: str, rows: Sequence[Row], endpoint: str, sets: Sequence[str]) -> tuple[str, ...]:
    mean = fmean(accuracy(row, endpoint) for row in rows)
    seconds = fmean(row.seconds for row in rows)
    return (
        arm,
        str(len(rows)),
        f"{mean:.1f} %",
        *(f"{fmean(accuracy(row, name) for row in rows):.1f} %" for name in sets),
        f"{fmean(row.problems for row in rows):.0f}",
        f"{fmean(row.steps for row in rows):.0f}",
        f"{seconds:.0f}",
        f"{seconds / mean:.1f}" if mean else "",
    )


def difference_table(found: Analysis) -> Table:
    """A row for each comparison; `visible` is what so many pairs show with a power of 80 %."""
    rows = []
    for each in found.comparisons:
        cells = [each.arm, str(len(each.differences))]
        if test := each.paired:
            over = f"[{each.templates[0]:.1f}, {each.templates[1]:.1f}]" if each.templates else ""
            cells += [f"{test.mean:+.1f}", f"[{test.low:.1f}, {test.high:.1f}]", f"{test.p:.3f}"]
            cells += [f"{test.sign:.3f}", over, f"{test.visible:.1f}"]
        rows.append((*cells, *[""] * (len(DIFFERENCES) - len(cells))))
    return Table(
        caption=f"{found.study.plan.default} less each other arm, in points, paired by seed",
        headings=DIFFERENCES,
        rows=tuple(rows),
    )


def markdown(table: Table) -> str:
    lines = [table.headings, ("---",) * len(table.headings), *table.rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def latex(table: Table) -> str:
    """Returns a `tabular` for the package booktabs."""
    special = str.maketrans({char: f"\\{char}" for char in "&%$#_{}"})
    head, *lines = (
        " & ".join(cell.translate(special) for cell in line) + r" \\"
        for line in (table.headings, *table.rows)
    )
    columns = "l" + "r" * (len(table.headings) - 1)
    body = "\n".join([r"\toprule", head, r"\midrule", *lines, r"\bottomrule"])
    return f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}"


def forest(found: Analysis) -> Picture:
    """Draws each comparison's mean difference with its interval, and the difference of every pair."""
    default, endpoint = found.study.plan.default, found.study.plan.endpoint
    shown = [each for each in found.comparisons if each.paired]

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 1.1 + 0.55 * len(shown)))
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.8)
        for place, each in enumerate(shown):
            assert each.paired
            pairs = list(each.differences.values())
            axes.scatter(pairs, [place + 0.22] * len(pairs), s=14, color=MUTED, alpha=0.8, linewidths=0)
            axes.plot([each.paired.low, each.paired.high], [place, place], color=BLUE, linewidth=2)
            axes.plot([each.paired.mean], [place], "o", color=BLUE, markersize=6)
        axes.set_yticks(range(len(shown)), [f"less {each.arm}" for each in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"points on {endpoint}: mean, 95 % interval, each pair")
        return figure

    title = f"{default} less each other arm" + (" (interim)" if found.interim else "")
    return Picture(
        name="forest",
        title=title,
        alt=f"Mean difference between {default} and each other arm, with its 95 % interval over seeds.",
        draw=draw,
        table=difference_table(found),
    )
