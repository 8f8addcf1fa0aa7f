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
from fdd.storage.folder import DATABASE
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
    for number, run in ((signal.SIGINT, "1-written"), (signal.SIGTERM, "1-repeat")):
        study = begin(plan, output)
        deadline = time.monotonic() + 300
        while not (tmp_path / "runs" / run / DATABASE).exists():
            assert study.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
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
