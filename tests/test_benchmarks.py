"""The runs that benchmarks make up fit the tables of today."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import looking_speed, report_speed, store_speed
from fdd.reporting.report import write_report
from fdd.storage.folder import open_store


def report_run(folder: Path) -> None:
    folder.mkdir()
    report_speed.make_up(folder, 100)


@pytest.mark.parametrize(
    "make_up",
    [
        partial(looking_speed.make_up, problems=2000, spans=100),
        partial(store_speed.fill, problems=2000, attempts=20_000),
        report_run,
    ],
    ids=["looking", "store", "report"],
)
def test_a_made_up_run_can_be_reported(make_up: Callable[[Path], None], tmp_path: Path) -> None:
    make_up(tmp_path / "run")
    assert open_store(tmp_path / "run").summary()["rounds"]
    write_report(tmp_path / "run")
