"""The steps of a run as a tree, as lines or as plain values, also while the run goes on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from fdd.domain import Progress
from fdd.reporting.terminal import shown
from fdd.rundir.lock import is_held
from fdd.rundir.progress import latest
from fdd.storage.records import Json, SpanRecord
from fdd.storage.store import Store
from fdd.storage.tracing import SpanFilter, is_finished, newest_place, select_news

EVERY_SECONDS = 0.5


def as_tree(spans: Sequence[SpanRecord], enclosing: Mapping[str, SpanRecord]) -> Tree:
    """Returns the spans as a tree. Enclosing spans that are not in `spans` are dimmed."""
    wanted = {span.id for span in spans}
    every = {**enclosing, **{span.id: span for span in spans}}
    below: defaultdict[str, list[SpanRecord]] = defaultdict(list)
    for span in sorted(every.values(), key=lambda span: (span.started, span.id)):
        below[span.parent if span.parent in every else ""].append(span)
    tree = Tree("", hide_root=True)
    branches = [(tree, span) for span in below[""]]
    while branches:
        branch, span = branches.pop(0)
        twig = branch.add(line(span, style="" if span.id in wanted else "dim"))
        branches += [(twig, part) for part in below[span.id]]
    return tree


def line(span: SpanRecord, *, style: str = "") -> Text:
    """Formats a span: agent, name, status, seconds, cost in USD, problem."""
    who = span.agent if span.kind in ("agent", "program") else span.kind if span.kind == "call" else ""
    parts = (
        f"{who}: {span.name}" if who else span.name,
        span.status,
        f"{span.seconds:.3g} s",
        f"${span.cost_usd:.4f}" if span.cost_usd else "",
        span.problem_id or "",
    )
    return shown("  ".join(part for part in parts if part), style)


def news_line(span: SpanRecord) -> Text:
    """Formats a span outside a tree, with its round and phase."""
    where = f"round {span.round}  {span.phase}  " if span.kind != "phase" else f"round {span.round}  "
    return Text(where, "dim") + line(span)


def progress_line(progress: Progress) -> Text:
    so_far = f"{progress.done} of {progress.total}" if progress.total else "begins"
    return shown(f"round {progress.round}  {progress.phase}  {so_far}  {progress.remark}".rstrip(), "dim")


def as_json(span: SpanRecord) -> dict[str, Json]:
    return {**asdict(span), "started": span.started.isoformat()}


def follow(store: Store, folder: Path, wanted: SpanFilter) -> Iterator[SpanRecord | Progress]:
    """Yields the state of each phase so far, then new steps that match `wanted`, and progress as it changes.

    Ends when the run has finished or when no process is working on it, after all stored steps were yielded.
    """
    place, version = store.read(newest_place), ""
    known: Progress | None = None
    spans: list[SpanRecord] = []
    while True:
        # Checked before reading, so that what the run stored just before its end is still read.
        ended = not is_held(folder)
        found = store.version()
        # Opening the database takes processor time from the run, so it stays closed while nothing is new.
        if ended or spans or found != version:
            ended = ended or store.read(is_finished)
            spans, place = store.read(select_news, wanted, place)
            version = found
        yield from spans
        progress = latest(folder)
        if progress is not None and progress != known:
            yield progress
        known = progress
        if ended and not spans:
            return
        time.sleep(EVERY_SECONDS)
