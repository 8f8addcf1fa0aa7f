"""One function per page: parses the query, reads the store, renders a template."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fdd.domain import PHASES, Reason
from fdd.errors import command_line
from fdd.reporting.site import asked, drawing
from fdd.reporting.site.differences import Piece, compare
from fdd.reporting.site.exams import mark_items, rounds_of, select, whole_rounds
from fdd.reporting.site.site import Site
from fdd.reporting.site.status import status_of
from fdd.reporting.site.waterfall import bars_of
from fdd.storage.explorer import (
    ProblemSearch,
    evaluation_items,
    problem_facets,
    search_problems,
    select_call,
    span_facets,
)
from fdd.storage.life import Life, select_life
from fdd.storage.records import AttemptRecord, SpanKind, TranscriptRecord
from fdd.storage.summary import BASELINE_ROUND
from fdd.storage.tracing import SpanFilter, select_spans

PER_PAGE = 50
LATEST_EVENTS = 12
"""Number of events that the run page shows."""

Page = Callable[[Site, Request], Response]


@dataclass(frozen=True, slots=True)
class Pages:
    """The division of a long list into pages."""

    total: int
    """Number of rows on all pages."""
    page: int

    @property
    def last(self) -> int:
        return max(1, ceil(self.total / PER_PAGE))

    @property
    def offset(self) -> int:
        return PER_PAGE * (self.page - 1)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two students' attempts at the same question; None where one has none. `texts` marks the differences."""

    title: str
    before: AttemptRecord | None
    after: AttemptRecord | None
    texts: tuple[Sequence[Piece], Sequence[Piece]]


def run(site: Site, request: Request) -> Response:  # noqa: ARG001
    overview = site.overview()
    return _page(
        site,
        "run.html",
        run=overview.run,
        summary=overview.summary,
        charts=drawing.accuracy_charts(overview.summary, overview.delivered),
        drawing=drawing,
        events=list(islice(reversed(overview.events), LATEST_EVENTS)),
        settings=json.dumps(overview.run.settings, indent=2, ensure_ascii=False),
    )


def live(site: Site, request: Request) -> Response:  # noqa: ARG001
    """Renders the part of every page that shows where the run stands."""
    return _page(site, "live.html")


def problems(site: Site, request: Request) -> Response:
    query = asked.read(asked.AskedProblems, request.query_params)
    search = ProblemSearch(
        text=query.q,
        split=query.split,
        round=query.round,
        operator=query.operator,
        band=query.band,
        reason=query.reason,
        template=query.template,
        sort=query.sort,
        descending=query.order == "down",
        offset=PER_PAGE * (query.page - 1),
        limit=PER_PAGE,
    )
    found, facets = site.store.read(search_problems, search), site.store.read(problem_facets)
    return _page(
        site, "problems.html", query=query, found=found, facets=facets, pages=Pages(found.total, query.page)
    )


def problem(site: Site, request: Request) -> Response:
    query = asked.read(asked.AskedProblem, request.query_params)
    name = request.path_params["name"]
    life = site.store.read(select_life, name)
    if life is None:
        raise HTTPException(404, f"This run has no problem {name}.")
    rounds = sorted({life.student_of(attempt) for attempt in life.attempts})
    before, after = _two(rounds, query.before, query.after)
    return _page(
        site,
        "problem.html",
        life=life,
        rounds=rounds,
        before=before,
        after=after,
        pairs=list(_pairs(life, before, after)),
    )


def call(site: Site, request: Request) -> Response:
    name = request.path_params["name"]
    exchange = site.store.read(select_call, name)
    if exchange is None:
        raise HTTPException(404, f"This run has no call {name}.")
    return _page(site, "call.html", exchange=exchange, messages=_messages(exchange.transcript))


def trace(site: Site, request: Request) -> Response:
    query = asked.read(asked.AskedSpans, request.query_params)
    wanted = SpanFilter(
        rounds=() if query.round is None else (query.round,),
        phases=(query.phase,) if query.phase else (),
        kinds=(query.kind,) if query.kind else (),
        agents=(query.agent,) if query.agent else (),
        statuses=(query.status,) if query.status else (),
        problem=query.problem,
        min_seconds=query.seconds,
    )
    found = site.store.read(select_spans, wanted, limit=PER_PAGE, offset=PER_PAGE * (query.page - 1))
    facets = site.store.read(span_facets)
    bars, scale = bars_of(found.spans)
    return _page(
        site,
        "trace.html",
        query=query,
        found=found,
        bars=bars,
        scale=scale,
        facets=facets,
        kinds=get_args(SpanKind),
        reasons=set(Reason),
        pages=Pages(found.total, query.page),
    )


def evaluations(site: Site, request: Request) -> Response:
    query = asked.read(asked.AskedItems, request.query_params)
    overview = site.overview()
    names = [chart.name for chart in drawing.accuracy_charts(overview.summary, overview.delivered)]
    name = query.name or (names[0] if names else "")
    if name not in names and names:
        raise HTTPException(404, f"This run has no evaluation set {name}.")
    marked = mark_items(site.store.read(evaluation_items, name), overview.settings)
    rounds = rounds_of(marked)
    before, after = _two(whole_rounds(marked) or rounds, query.before, query.after)
    chosen = select(marked, query.show, before, after)
    pages = Pages(len(chosen), query.page)
    return _page(
        site,
        "evaluations.html",
        query=query,
        names=names,
        name=name,
        rounds=rounds,
        before=before,
        after=after,
        gained=len(select(marked, "gained", before, after)),
        lost=len(select(marked, "lost", before, after)),
        total=len(marked),
        found=chosen[pages.offset : pages.offset + PER_PAGE],
        pages=pages,
    )


def message(site: Site, status: int, title: str, text: str, headers: Mapping[str, str] = {}) -> Response:
    """Renders an error page."""
    values = {"title": title, "text": text, "again": status == 503, "version": ""}
    return HTMLResponse(site.render("message.html", values), status, headers)


def _page(site: Site, template: str, **values: object) -> Response:
    overview = site.overview()
    shared = {
        "status": status_of(site.folder, overview.events),
        "version": overview.version,
        "planned": overview.settings.rounds,
        "resume": command_line("resume", site.folder),
        "phases": PHASES,
        "untaught": BASELINE_ROUND,
    }
    return HTMLResponse(site.render(template, {**shared, **values}))


def _two(rounds: Sequence[int], before: int | None, after: int | None) -> tuple[int, int]:
    """Returns the rounds to compare: those requested, by default the first and the last."""
    first, last = (rounds[0], rounds[-1]) if rounds else (BASELINE_ROUND, 0)
    return first if before is None else before, last if after is None else after


def _pairs(life: Life, before: int, after: int) -> Iterator[Pair]:
    """Pairs the two students' attempts by exam, format and sample; an attempt of one alone is a pair too."""
    found: defaultdict[tuple[str, str, int], dict[int, AttemptRecord]] = defaultdict(dict)
    for attempt in life.attempts:
        exam = "plan" if attempt.purpose == "plan" else attempt.evaluation or attempt.purpose
        found[exam, attempt.thought, attempt.sample][life.student_of(attempt)] = attempt
    for (exam, thought, sample), by_round in sorted(found.items()):
        old, new = by_round.get(before), by_round.get(after)
        if old or new:
            texts = compare(old.text if old else "", new.text if new else "")
            yield Pair(f"{exam}, {thought}{f', sample {sample + 1}' if sample else ''}", old, new, texts)


def _messages(transcript: TranscriptRecord | None) -> list[tuple[str, str]]:
    """Returns role and text of each message to the model; content that is no string is shown as JSON."""
    messages = transcript.request.get("messages") if transcript else None
    found = []
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            content = message.get("content")
            text = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False)
            found.append((str(message.get("role", "")), text))
    return found
