"""One function per page: parses the query, reads the store, renders a template."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fdd.domain import PHASES, UNTAUGHT, Reason
from fdd.errors import command_line
from fdd.reporting.results import Results, results_of, undone_rounds
from fdd.reporting.site import asked
from fdd.reporting.site.differences import Piece, compare
from fdd.reporting.site.exams import answered_items
from fdd.reporting.site.site import Overview, Site
from fdd.reporting.site.status import status_of
from fdd.reporting.site.waterfall import bars_of
from fdd.storage.explorer import (
    evaluation_items,
    problem_facets,
    search_problems,
    select_call,
    span_facets,
)
from fdd.storage.life import Life, select_life
from fdd.storage.records import AttemptRecord, SpanKind
from fdd.storage.summary import SkillSummary
from fdd.storage.tracing import SpanFilter, select_spans

PER_PAGE = 50
SCALES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Accuracies at which the axes of all charts may end: at the smallest that shows every interval."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The division of a list of `total` rows into pages."""

    total: int
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
    evaluations = _evaluation_sets(overview)
    skills: defaultdict[str, dict[int, SkillSummary]] = defaultdict(dict)
    for row in overview.summary["skills"]:
        skills[row["skill"]][row["round"]] = row
    highest = max((entry["high"] for each in evaluations.values() for entry in each.values()), default=1.0)
    return _page(
        site,
        "run.html",
        run=overview.run,
        summary=overview.summary,
        delivered=overview.delivered,
        evaluations=evaluations,
        undone=undone_rounds(overview.summary),
        scale=next(step for step in SCALES if highest <= step),
        skills=dict(skills),
        skill_rounds=sorted({row["round"] for row in overview.summary["skills"]}),
        events=overview.events,
        settings=json.dumps(overview.run.settings, indent=2, ensure_ascii=False),
    )


def live(site: Site, request: Request) -> Response:  # noqa: ARG001
    """Renders the part of every page that shows where the run stands."""
    return _page(site, "live.html")


def problems(site: Site, request: Request) -> Response:
    query = asked.read(asked.AskedProblems, request.query_params)
    total, rows = site.store.read(
        search_problems,
        query.q,
        query.filters(),
        sort=query.sort,
        descending=query.order == "down",
        offset=PER_PAGE * (query.page - 1),
        limit=PER_PAGE,
    )
    facets, pages = site.store.read(problem_facets), Pages(total, query.page)
    return _page(site, "problems.html", query=query, rows=rows, facets=facets, pages=pages)


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
    messages = list(exchange.transcript.messages()) if exchange.transcript else []
    return _page(site, "call.html", exchange=exchange, messages=messages)


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
    names = list(_evaluation_sets(overview))
    name = query.name or (names[0] if names else "")
    if name not in names and names:
        raise HTTPException(404, f"This run has no evaluation set {name}.")
    items = answered_items(*site.store.read(evaluation_items, name), overview.settings)
    rounds = sorted({round for each in items for round in each.values})
    # The untaught student is asked only a part of the items.
    whole = [round for round in rounds if round < 0 or all(round in each.values for each in items)]
    before, after = _two(whole or rounds, query.before, query.after)
    changes = [each.change(before, after) for each in items]
    wanted = {"all": ("gained", "lost", ""), "flipped": ("gained", "lost")}.get(query.show, (query.show,))
    chosen = [each for each, change in zip(items, changes, strict=True) if change in wanted]
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
        gained=changes.count("gained"),
        lost=changes.count("lost"),
        total=len(items),
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
        "status": status_of(site.folder, overview.phases),
        "version": overview.version,
        "planned": overview.settings.rounds,
        "resume": command_line("resume", site.folder),
        "phases": PHASES,
        "untaught": UNTAUGHT,
    }
    return HTMLResponse(site.render(template, {**shared, **values}))


def _evaluation_sets(overview: Overview) -> Results:
    """Returns the results in the order of the pages: `in-domain` first, `dev` last."""
    results = results_of(overview.summary)
    names = sorted(results, key=lambda name: (name == "dev", name != "in-domain", name))
    return {name: results[name] for name in names}


def _two(rounds: Sequence[int], before: int | None, after: int | None) -> tuple[int, int]:
    """Returns the rounds to compare: those requested, by default the first and the last."""
    first, last = (rounds[0], rounds[-1]) if rounds else (UNTAUGHT, 0)
    return first if before is None else before, last if after is None else after


def _pairs(life: Life, before: int, after: int) -> Iterator[Pair]:
    """Pairs the two students' attempts by exam, format and sample; an attempt of one alone is a pair too."""
    found: defaultdict[tuple[str, str, int], dict[int, AttemptRecord]] = defaultdict(dict)
    for attempt in life.attempts:
        exam = "plan" if attempt.purpose == "plan" else attempt.evaluation or attempt.purpose
        if attempt.purpose == "shown":
            exam = f"with {attempt.evaluation} in sight"
        found[exam, attempt.thought, attempt.sample][life.student_of(attempt)] = attempt
    for (exam, thought, sample), by_round in sorted(found.items()):
        old, new = by_round.get(before), by_round.get(after)
        if old or new:
            texts = compare(old.text if old else "", new.text if new else "")
            yield Pair(f"{exam}, {thought}{f', sample {sample + 1}' if sample else ''}", old, new, texts)
