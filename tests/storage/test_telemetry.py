"""What spans are sent out with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fdd.storage.records import SpanRecord, TranscriptRecord
from fdd.storage.store import Store
from fdd.storage.tracing import Exchange, select_exchanges, select_stages
from tests.storage.samples import RUN, call


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "run.duckdb", RUN)


def test_a_phase_that_was_killed_lasts_until_its_last_step_ended(store: Store) -> None:
    store.log(round=0, phase="seed", kind="started")
    store.log(round=0, phase="seed", kind="finished")
    store.log(round=0, phase="teach", kind="started")
    step = SpanRecord(
        id="s",
        parent="round-0/teach",
        kind="problem",
        name="lesson",
        round=0,
        phase="teach",
        status="kept",
        started=datetime.now(UTC),
        seconds=100.25,
    )
    store.add([step])
    stages = {stage.id: stage for stage in store.read(select_stages)}
    assert list(stages) == ["run", "round-0", "round-0/seed", "round-0/teach"]
    assert stages["round-0/seed"].seconds < 100
    assert all(100 < stages[name].seconds < 200 for name in ("run", "round-0", "round-0/teach"))


def test_an_exchange_is_a_call_with_what_was_said_in_it(store: Store) -> None:
    first, second = call(0), call(1)
    said = TranscriptRecord(call_id=first.id, request={"messages": []}, reply="yes", finish="stop")
    store.add([first, second, said])
    found = store.read(select_exchanges, [first.id, second.id, "c-unknown"])
    assert found == {first.id: Exchange(first, said), second.id: Exchange(second, None)}
