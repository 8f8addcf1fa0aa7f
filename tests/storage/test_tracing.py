"""Spans: what the store gives back of them, by what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fdd.storage.records import SpanKind, SpanRecord, phase_id, span_id
from fdd.storage.store import Store
from fdd.storage.tracing import (
    Place,
    SpanFilter,
    is_finished,
    newest_place,
    select_enclosing,
    select_news,
    select_spans,
)
from tests.storage.samples import RUN, problem

BEGAN = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def span(
    name: str,
    *,
    kind: SpanKind = "agent",
    parent: str = "",
    round: int = 0,
    phase: str = "teach",
    after: float = 0.0,
    **more: object,
) -> SpanRecord:
    parent = parent or phase_id(round, phase)
    values = {"status": "answered", "agent": "teacher", "seconds": 1.0, **more}
    return SpanRecord(
        id=span_id(parent, name),
        parent=parent,
        kind=kind,
        name=name,
        round=round,
        phase=phase,
        started=BEGAN + timedelta(seconds=after),
        **values,  # type: ignore[arg-type]
    )


LESSON = span("lesson", kind="problem", agent="", status="kept", problem_id=problem().id, seconds=5.0)
WRITING = span("explain pot", parent=LESSON.id, after=1, problem_id=problem().id, cost_usd=0.02, seconds=3.0)
CALL = span("openai:m", kind="call", parent=WRITING.id, after=2, problem_id=problem().id, cost_usd=0.02)
PROGRAM = span(
    "pot", kind="program", parent=LESSON.id, after=4, agent="verifier", status="wrong_answer", seconds=0.1
)
LATER = span("answer pot", agent="student", round=1, phase="probe", after=60)
SPANS = [LESSON, WRITING, CALL, PROGRAM, LATER]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "run.duckdb", RUN)
    store.log(round=0, phase="teach", kind="started")
    store.add([problem(), *reversed(SPANS)])
    store.log(round=0, phase="teach", kind="finished")
    store.log(round=1, phase="probe", kind="started")
    yield store


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (SpanFilter(rounds=[1], kinds=["agent"]), ["answer pot"]),
        (SpanFilter(phases=["teach"], kinds=["agent", "call"]), ["explain pot", "openai:m"]),
        (SpanFilter(agents=["verifier", "student"]), ["pot", "answer pot"]),
        (SpanFilter(statuses=["wrong_answer"]), ["pot"]),
        (SpanFilter(problem=LESSON.problem_id, min_seconds=3), ["lesson", "explain pot"]),
        (SpanFilter(min_cost=0.01), ["explain pot", "openai:m"]),
        (SpanFilter(statuses=["nothing"]), []),
    ],
)
def test_spans_are_found_by_every_filter_in_the_order_they_began(
    store: Store, wanted: SpanFilter, names: list[str]
) -> None:
    page = store.read(select_spans, wanted)
    assert [each.name for each in page.spans] == names
    assert page.total == len(names)


def test_a_page_says_how_many_there_are_in_all(store: Store) -> None:
    page = store.read(select_spans, SpanFilter(kinds=["agent", "call"]), limit=2, offset=1)
    assert [each.name for each in page.spans] == ["openai:m", "answer pot"]
    assert page.total == 3


def test_what_encloses_a_span_is_given_up_to_the_run(store: Store) -> None:
    above = store.read(select_enclosing, [CALL])
    assert [each.kind for each in sorted(above.values(), key=lambda each: each.id)] == [
        *("round", "phase", "run"),
        *(each.kind for each in sorted([LESSON, WRITING], key=lambda each: each.id)),
    ]


def test_phases_are_running_finished_interrupted_or_failed(store: Store) -> None:
    def statuses() -> dict[str, str]:
        return {
            each.name: each.status
            for each in store.read(select_spans, SpanFilter(kinds=["phase", "run"])).spans
        }

    assert statuses() == {"run-1": "running", "teach": "finished", "probe": "running"}
    store.log(round=1, phase="probe", kind="interrupted")
    assert statuses() == {"run-1": "interrupted", "teach": "finished", "probe": "interrupted"}
    store.log(round=1, phase="probe", kind="started")
    store.log(round=1, phase="probe", kind="failed")
    assert statuses() == {"run-1": "failed", "teach": "finished", "probe": "failed"}
    assert not store.read(is_finished)
    store.log(round=1, phase="report", kind="started")
    store.log(round=1, phase="report", kind="finished")
    assert store.read(is_finished)


def test_a_phase_lasts_as_long_as_somebody_worked_on_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run.duckdb", RUN)
    for kind in ("started", "started", "finished"):
        store.log(round=0, phase="teach", kind=kind)
    first, second, end = (event.time for event in store.events())
    [phase] = store.read(select_spans, SpanFilter(kinds=["phase"])).spans
    assert phase.started == first
    assert phase.seconds == pytest.approx((end - second).total_seconds(), abs=1e-5)


def test_news_are_what_was_stored_since(store: Store) -> None:
    news, place = store.read(select_news, SpanFilter(), Place())
    assert [each.name for each in news] == ["teach", "probe", *(each.name for each in SPANS)]
    assert store.read(select_news, SpanFilter(), place) == ([], place)
    more = span("explain cot", after=-5)
    store.add([more])
    store.log(round=1, phase="probe", kind="finished")
    news, place = store.read(select_news, SpanFilter(), place)
    assert [(each.name, each.status) for each in news] == [("probe", "finished"), ("explain cot", "answered")]
    assert store.read(select_news, SpanFilter(), place)[0] == []


def test_news_come_in_parts_and_none_is_left_out(store: Store) -> None:
    place, seen = store.read(newest_place), list[str]()
    store.add([span(f"step {number}", after=number) for number in range(7)])
    while True:
        news, place = store.read(select_news, SpanFilter(kinds=["agent"]), place, limit=3)
        if not news:
            break
        assert len(news) <= 3
        seen += [each.name for each in news]
    assert sorted(seen) == [f"step {number}" for number in range(7)]


def test_a_span_whose_parent_is_missing_is_a_finding(store: Store) -> None:
    assert store.verify() != []  # CALL names no row of calls
    assert {finding.what for finding in store.verify()} == {"its call  is not in the database"}
    store.add([span("lost", parent="s-nowhere")])
    assert "what it is a part of, s-nowhere, is not in the database" in {
        finding.what for finding in store.verify()
    }


def test_times_and_costs_may_differ_when_a_step_is_done_again(store: Store) -> None:
    again = span("explain pot", parent=LESSON.id, after=90, problem_id=problem().id, seconds=9.0)
    assert store.add([again]) == 0
    [kept] = store.read(select_spans, SpanFilter(min_cost=0.01, kinds=["agent"])).spans
    assert kept.seconds == 3.0
