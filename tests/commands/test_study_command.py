"""A study from its plan to its tables, stopped on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fdd.errors import INTERRUPTED
from fdd.graph.run import start
from fdd.rundir.listener import UNWATCHED
from fdd.rundir.study import read_study
from fdd.settings import Settings
from fdd.storage.folder import DATABASE, open_store
from tests.test_golden import EVERYWHERE, HERE, hashes
from tests.test_house import ROOT

PLAN = """
question = "Does it matter what is added?"
endpoint = "in-domain"
default = "written"
seeds = [1, 2]

[arms]
written = {}
repeat = "repeat"

[settings]
rounds = 1
recipe = "skills"
student = "tiny"
baseline_size = 1
"generate.max_new_tokens" = 8

[settings.problems]
limit = 8
test_size = 4
held_out_size = 1
dev_size = 2
harder_size = 2
"""


def begin(plan: Path, output: Path, *options: str) -> subprocess.Popen[bytes]:
    """Starts the study as shells start background jobs, with SIGINT ignored."""
    command = [sys.executable, "main.py", "study", str(plan), "--runs", str(plan.parent / "runs"), *options]
    with output.open("ab") as file:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )


@pytest.mark.slow
def test_a_study_that_is_stopped_goes_on_where_it_was(tmp_path: Path, cache: Path) -> None:
    assert os.environ["FDD_CACHE"] == str(cache)
    plan, output = tmp_path / "plan.toml", tmp_path / "output.txt"
    plan.write_text(PLAN)
    # The second time while a child is being started, which writes into the log.
    for number, begun in ((signal.SIGINT, f"1-beginning-*/{DATABASE}"), (signal.SIGTERM, "1-repeat.log")):
        study = begin(plan, output)
        deadline = time.monotonic() + 300
        while not list((tmp_path / "runs").glob(begun)):
            assert study.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.001)
        study.send_signal(number)
        assert study.wait(timeout=300) == INTERRUPTED, output.read_text()
        assert "Stopping at the next safe point of each run" in output.read_text()

    assert begin(plan, output).wait(timeout=900) == 0, output.read_text()
    rows = [json.loads(line) for line in plan.with_suffix(".jsonl").read_text().splitlines()]
    assert sorted((row["arm"], row["seed"]) for row in rows) == [
        ("repeat", 1),
        ("repeat", 2),
        ("written", 1),
        ("written", 2),
    ]
    assert "| repeat | 2 |" in output.read_text()
    assert not list((tmp_path / "runs").iterdir())
    assert plan.with_suffix(".svg").exists()


@pytest.mark.slow
def test_arms_that_share_their_beginning_leave_the_same_tables_as_runs_of_their_own(
    tmp_path: Path, cache: Path
) -> None:
    plan, output = tmp_path / "plan.toml", tmp_path / "output.txt"
    plan.write_text(PLAN)
    assert begin(plan, output, "--keep").wait(timeout=900) == 0, output.read_text()
    for cell in read_study(plan).cells[:2]:
        alone = tmp_path / cell.arm
        start(cell.settings, alone, UNWATCHED, cache=cache)
        shared = tmp_path / "runs" / f"1-{cell.arm}"
        assert hashes(shared, EVERYWHERE | HERE) == hashes(alone, EVERYWHERE | HERE)
        assert open_store(shared).verify() == []
        assert Settings.from_json(open_store(shared).run().settings) == cell.settings
    assert len(list((tmp_path / "runs").glob("1-beginning-*/fdd.duckdb"))) == 1
