"""Writes a run as one self-contained HTML page, and its pictures as files for a paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fdd.domain import UNTAUGHT
from fdd.errors import PROGRAM, StoreError, UsageError
from fdd.reporting import findings
from fdd.reporting.comparison import EvaluatedStudent, SetComparison, compare_students
from fdd.reporting.formats import inert, worded
from fdd.reporting.pictures import Picture, inline, save
from fdd.reporting.results import precise
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
    delivered: int | None
    """The round whose student the run delivers; None if there is none."""
    headline: list[SetComparison]
    """The untaught student against the delivered one; empty if there is none."""
    pictures: dict[str, Picture]


def write_report(folder: Path, figures: Path | None = None) -> Path:
    """Writes the page of the run in `folder`, and its pictures as SVG and PNG into `figures` if given.

    Returns the page's path. Raises `UsageError` if there is no run or the pictures cannot be written, and
    `StoreError` if the page cannot be written.
    """
    report = read_report(open_store(folder))
    settings, default = (
        {key: worded(value) for key, value in flat(each.to_json())}
        for each in (report.settings, Settings(rounds=1))
    )
    template = environment("fdd.reporting", inert).get_template("report.html")
    page = template.render(
        report=report,
        summary=report.evidence.summary,
        pictures={name: inline(picture) for name, picture in report.pictures.items()},
        settings=settings,
        changed={key: text for key, text in settings.items() if default.get(key) != text},
        shorten=shorten,
        program=PROGRAM,
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
    untaught = EvaluatedStudent(store, settings, UNTAUGHT)
    drawn = (
        findings.accuracies(evidence.summary, made),
        findings.growth(evidence),
        findings.outcomes(evidence),
        findings.skills(evidence.summary),
        findings.solve_rates(evidence),
        findings.band_flows(evidence),
    )
    return Report(
        run=run,
        settings=settings,
        evidence=evidence,
        delivered=made,
        headline=[] if made is None else compare_students(untaught, replace(untaught, round=made)),
        pictures={picture.name: picture for picture in drawn if picture},
    )


def shorten(text: str) -> str:
    left = len(text) - LONGEST_TEXT
    return f"{text[:LONGEST_TEXT]} [... {left} characters more]" if left > 0 else text


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
