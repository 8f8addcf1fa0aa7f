"""Writes a run as one self-contained HTML page, and its pictures as files for a paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fdd.domain import UNTAUGHT
from fdd.errors import PROGRAM, StoreError, UsageError
from fdd.problems.contamination import DEV
from fdd.reporting import findings, tables
from fdd.reporting.comparison import SetComparison, Sitting, compare_sittings, worded
from fdd.reporting.pictures import Picture, inline, save
from fdd.reporting.precision import precise
from fdd.reporting.tables import Table
from fdd.reporting.templating import environment
from fdd.rundir.delivery import delivered, write_whole
from fdd.settings import Settings, flat
from fdd.storage.evidence import Evidence, gather_evidence
from fdd.storage.folder import open_store
from fdd.storage.records import RunRecord
from fdd.storage.store import Store

PAGE = "report.html"
LONGEST_TEXT = 1500
"""Most characters shown of a question or rationale; a longer one ends with the number left out."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The data that the page shows."""

    run: RunRecord
    settings: Settings
    evidence: Evidence
    finished: bool
    delivered: int | None
    """The round whose student the run delivers; None if there is none."""
    headline: list[SetComparison]
    """The untaught student against the delivered one; empty if there is none."""
    pictures: dict[str, Picture]

    @property
    def changed(self) -> list[tuple[str, str]]:
        """Settings that differ from their defaults."""
        default = dict(flat(Settings(rounds=1).to_json()))
        return [pair for pair in self.all_settings if worded(default.get(pair[0])) != pair[1]]

    @property
    def all_settings(self) -> list[tuple[str, str]]:
        return [(key, worded(value)) for key, value in flat(self.settings.to_json())]

    @property
    def tables(self) -> dict[str, Table | None]:
        summary = self.evidence.summary
        return {
            "costs": tables.costs(summary),
            "decisions": tables.decisions(summary),
            "removals": tables.removals(summary),
        }

    @property
    def limits(self) -> list[str]:
        """Sentences on what the numbers do not show."""
        return list(_limits(self))


def write_report(folder: Path, figures: Path | None = None) -> Path:
    """Writes the page of the run in `folder`, and its pictures as SVG and PNG into `figures` if given.

    Returns the page's path. Raises `UsageError` if there is no run or the pictures cannot be written, and
    `StoreError` if the page cannot be written.
    """
    report = read_report(open_store(folder))
    page = (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            pictures={name: inline(picture) for name, picture in report.pictures.items()},
            shorten=shorten,
            percent=tables.percent,
            interval=tables.interval,
            over_templates=tables.over_templates,
            p_value=tables.p_value,
        )
    )
    if figures is not None:
        _write_figures(report, figures)
    try:
        write_whole(folder / PAGE, page.encode("utf-8"))
    except OSError as error:
        raise StoreError(
            f"cannot write the page {str(folder / PAGE)!r}: {error.strerror}; mend that, or copy the run "
            "elsewhere"
        ) from None
    return folder / PAGE


def read_report(store: Store) -> Report:
    run, evidence = store.run(), store.read(gather_evidence)
    evidence = replace(evidence, summary=precise(store, evidence.summary))
    settings = Settings.from_json(run.settings)
    best = delivered(store)
    made = best.round if best else None
    summary = evidence.summary
    drawn = (
        findings.accuracies(summary, made),
        findings.growth(evidence),
        findings.outcomes(evidence),
        findings.solve_rates(evidence),
        findings.band_flows(evidence),
    )
    return Report(
        run=run,
        settings=settings,
        evidence=evidence,
        finished=summary["finished"],
        delivered=made,
        headline=[] if made is None else _headline(store, settings, made),
        pictures={picture.name: picture for picture in drawn if picture},
    )


def shorten(text: str) -> str:
    left = len(text) - LONGEST_TEXT
    return f"{text[:LONGEST_TEXT]} [... {left} characters more]" if left > 0 else text


def _headline(store: Store, settings: Settings, round: int) -> list[SetComparison]:
    return compare_sittings(Sitting(store, settings, UNTAUGHT), Sitting(store, settings, round))


def _write_figures(report: Report, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in report.pictures.values():
            write_whole(folder / f"{picture.name}.svg", save(picture, "svg"))
            write_whole(folder / f"{picture.name}.png", save(picture, "png"))
    except OSError as error:
        raise UsageError(
            f"cannot write pictures into {str(folder)!r}: {error.strerror}; give another --figures"
        ) from None


def _limits(report: Report) -> Iterator[str]:
    settings, summary = report.settings, report.evidence.summary
    if not report.finished:
        yield "The run is not finished: everything here is as far as it has come."
    yield (
        f"One run with one seed ({settings.seed}). Intervals and tests are about the problems that were "
        "asked; how much another seed would change is not in them."
    )
    if sets := " and ".join(summary["exact_only"]):
        yield (
            f"{sets}: new numbers in templates that are taught, so that only exact copies are kept out. They "
            "say how well what was taught is mastered, and not whether it carries over to other problems."
        )
    if report.delivered is not None:
        yield (
            f"The delivered student is the best on {DEV}, so its accuracy there is on average too high. The "
            "test sets decided nothing."
        )
    if len(report.headline) > 1:
        yield "Each p-value is of one test alone: none is adjusted for there being several sets and rounds."
    yield (
        "More data alone may make a student better as well. What feedback adds to that is told by a control "
        f"that is taught as much without it: {PROGRAM} control DIR."
    )
    if settings.samples == 1:
        yield "Bands and solve rates rest on one greedy answer to each problem: it is right, or it is wrong."
    if settings.roles()["synthesizer"].is_model:
        yield (
            "A model wrote the new problems. Their answers are what independent solutions agreed on, which "
            "can be wrong together."
        )
