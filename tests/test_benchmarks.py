"""What benchmarks make up fits the tables of today, and the model of large runs fits its simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import looking_speed, report_speed, scale, store_speed
from fdd.reporting.report import write_report
from fdd.settings import load_settings
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


@pytest.mark.parametrize("gpus", [1, 8, 64])
@pytest.mark.parametrize(
    "machine",
    [
        scale.Machine(),
        scale.Machine(exchange=0.0, training=5000.0, writing=500.0, shard=16),
        scale.Machine(connections=8, storing=0.01, latency=1.0),
    ],
    ids=["usual", "slow GPUs", "slow store"],
)
def test_the_model_of_large_runs_is_within_a_quarter_of_its_simulation(
    machine: scale.Machine, gpus: int
) -> None:
    settings = load_settings({"rounds": 2, "recipe": "fdd", "problems.name": "mine.jsonl"}, environment={})
    for part in scale.parts_of(settings, 500):
        expected = scale.simulate(part, gpus, machine, batch=64)
        assert scale.model(part, gpus, machine, batch=64) == pytest.approx(expected, rel=0.25)
