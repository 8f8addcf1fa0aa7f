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
        scale.Machine(exchange=0.0, training=5000.0, reading=10_000.0, writing=500.0, rows=16, shard=64),
        scale.Machine(connections=8, storing=0.01, latency=1.0),
    ],
    ids=["usual", "slow GPUs", "slow store"],
)
@pytest.mark.parametrize(
    "part",
    [
        scale.Part("teach", (2000, 500)),
        scale.Part("train", (50, 20)),
        *(scale.Part("ask", (n,)) for n in (300, 16_384, 18_432, 50_000)),
    ],
    ids=lambda part: f"{part.name} {part.sizes[0]}",
)
def test_the_model_of_large_runs_is_within_a_quarter_of_its_simulation(
    part: scale.Part, machine: scale.Machine, gpus: int
) -> None:
    expected = scale.simulate(part, gpus, machine, batch=64)
    assert scale.model(part, gpus, machine, batch=64) == pytest.approx(expected, rel=0.25)


def test_the_calls_answers_and_steps_of_a_large_run() -> None:
    given = {
        "rounds": 2,
        "recipe": "skills",
        "budget": 100,
        "teacher": "openai:x",
        "problems.name": "mine.jsonl",
    }
    teach, train, ask = scale.parts_of(load_settings(given, environment={}), seeds=1000)
    # A seed is explained once; a new problem is written by one call and solved by four.
    assert teach.sizes == (1000, 500, 500)
    # Batches of 4, all earlier examples again, and 0.2 more steps before the last round.
    assert train.sizes == (300, 330, 300)
    assert len(ask.sizes) == 7  # untaught, dev in each round, two probes, test
