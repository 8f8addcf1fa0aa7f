"""`main.py trace DIR`: shows what the agents of a run did, step by step."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from functools import partial
from typing import get_args

from fdd.commands.arguments import add_folder, add_json, print_json
from fdd.errors import UsageError, command_line, printable
from fdd.storage.life import find_problem
from fdd.storage.records import SpanKind, SpanRecord
from fdd.storage.store import Store
from fdd.storage.tracing import SpanFilter, is_finished, select_enclosing, select_spans


def add(parser: ArgumentParser) -> None:
    """what the agents did, step by step; the options choose, each may be given several times"""
    add_folder(parser)
    several = partial(parser.add_argument, action="append", default=[])
    several("--round", type=int, metavar="N")
    several("--phase", metavar="NAME", help="seed, teach, fine_tune, evaluate, ...")
    several("--agent", metavar="NAME", help="teacher, verifier, synthesizer, student, ...")
    several("--kind", choices=get_args(SpanKind))
    several("--verdict", metavar="REASON", help="accepted, wrong_answer, ...; or another step's status")
    parser.add_argument("--problem", metavar="ID", help="a problem's id, or its beginning")
    parser.add_argument("--min-seconds", type=float, metavar="S", help="steps that took at least so long")
    parser.add_argument("--min-cost", type=float, metavar="USD", help="steps that cost at least so much")
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="show so many (default: 200)")
    parser.add_argument("--follow", action="store_true", help="go on showing what comes, until the run ends")
    parser.add_argument(
        "--otlp", action="store_true", help="send all to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names"
    )
    add_json(parser)
    parser.set_defaults(command=trace)


def trace(given: Namespace) -> int:
    from fdd.reporting.terminal import shown, terminal
    from fdd.reporting.trace import as_json, as_tree
    from fdd.storage.folder import open_store

    if given.limit < 1:
        raise UsageError(f"--limit {given.limit} shows nothing: give 1 or more")
    store = open_store(given.run_dir)
    wanted = SpanFilter(
        rounds=given.round,
        phases=given.phase,
        kinds=given.kind,
        agents=given.agent,
        statuses=given.verdict,
        problem=store.read(find_problem, given.problem) if given.problem else None,
        min_seconds=given.min_seconds,
        min_cost=given.min_cost,
    )
    if given.otlp:
        return send(given, store, wanted)
    if given.follow:
        return follow(given, store, wanted)
    page = store.read(select_spans, wanted, limit=given.limit)
    if given.json:
        print_json({"total": page.total, "spans": [as_json(span) for span in page.spans]})
        return 0
    console = terminal()
    console.print(as_tree(page.spans, store.read(select_enclosing, page.spans)))
    if len(page.spans) < page.total:
        console.print(shown(f"the first {len(page.spans)} of {page.total} steps; choose, or give --limit"))
    return 0


def follow(given: Namespace, store: Store, wanted: SpanFilter) -> int:
    from fdd.reporting.terminal import shown, terminal
    from fdd.reporting.trace import as_json, follow, news_line, progress_line

    console = terminal()
    for news in follow(store, given.run_dir, wanted):
        if given.json:
            print(json.dumps(as_json(news) if isinstance(news, SpanRecord) else asdict(news)), flush=True)
        elif isinstance(news, SpanRecord):
            console.print(news_line(news))
        else:
            console.print(progress_line(news))
    if not store.read(is_finished):
        go_on = command_line("resume", given.run_dir)
        terminal(stderr=True).print(shown(f"no process is working on it; go on with: {go_on}"))
    return 0


def send(given: Namespace, store: Store, wanted: SpanFilter) -> int:
    from fdd.rundir.telemetry import send_run
    from fdd.settings import find_telemetry

    # `where()[1]` has the values of the filter: it is empty if no option chooses steps.
    if given.follow or wanted.where()[1]:
        raise UsageError("--otlp sends the whole run: leave --follow out, and the options that choose")
    if (target := find_telemetry()) is None:
        raise UsageError(
            "--otlp needs to know where to: set OTEL_EXPORTER_OTLP_ENDPOINT, for example to http://localhost:4318"
        )
    sent = send_run(store, target)
    if given.json:
        print_json({"spans": sent, "server": target.server})
    else:
        print(f"{sent} spans sent to {printable(target.server)}")
    return 0
