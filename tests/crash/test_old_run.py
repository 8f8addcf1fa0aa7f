"""A run that was started with the first schema can be resumed and finishes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fdd.storage.folder import DATABASE, open_store
from tests.crash.evidence import rows_of
from tests.crash.lives import Nursery, Track
from tests.storage.first import first_database

ROWS = Path(__file__).parent / "first_run.sql"
"""The rows that the version of that time had stored when it was killed after the baseline of round 0."""


@pytest.fixture
def old(raised: Nursery, tmp_path: Path) -> Track:
    track = Track(tmp_path, {}, raised)
    track.run.mkdir(parents=True)
    first_database(track.run / DATABASE, ROWS)
    return track


def test_a_run_of_the_first_schema_goes_on_to_its_end(old: Track) -> None:
    copy = shutil.copytree(old.run, old.run.with_name("copy"))
    open_store(copy)  # brings its tables up to date
    before = set(rows_of(copy))
    assert old.live().code == 0, old.said()
    store = open_store(old.run)
    assert store.verify() == []
    assert before <= set(rows_of(old.run))
    assert [row["round"] for row in store.summary()["rounds"] if row["evaluations"]] == [0, 1]
    assert {attempt.purpose for attempt in store.attempts(round=-1)} == {"baseline"}
