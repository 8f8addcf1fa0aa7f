"""The programs in `examples/` run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

ONE_ROUND = Path(__file__).parent.parent / "examples" / "one_round.py"


def test_one_round_fits_on_a_page_and_goes_through_every_step() -> None:
    assert len(ONE_ROUND.read_text().splitlines()) <= 150
    command = [sys.executable, str(ONE_ROUND), "--seeds", "16", "--tests", "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = ["taught first", "trained", "after round 0", "probed", "written", "trained", "after round 1"]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == steps
    taught = re.search(r"(\d+) problems taught", done.stdout)
    assert taught is not None
    assert int(taught[1]) > 16
