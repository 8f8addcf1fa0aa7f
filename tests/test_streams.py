"""Standard streams that are closed, full, or no longer read: what is done stays the same."""

import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fdd.errors import OutputError
from fdd.main import main
from fdd.streams import Lossy, Output

ROOT = Path(__file__).parent.parent
SMALL = ["--rounds", "0", "--student", "tiny", "--limit", "4"]
SIZES = ["--dev-size", "2", "--test-size", "2", "--held-out-size", "2"]
CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]
JUDGE = """
import sys
from fractions import Fraction
from pathlib import Path
from fdd.agents.verifier import Verifier

with Verifier(workers=2) as verifier:
    texts = [("pot", "answer = 6 * 7"), ("eot", "252 = 6 * x\\nsolve for x")]
    verdicts = [verifier.judge(thought, text, Fraction(42)) for thought, text in texts]
Path(sys.argv[1]).write_text(" ".join(verdict.reason for verdict in verdicts))
"""
OPENED = """
import os, sys
from fdd.streams import standard_streams

with standard_streams():
    inheritable = all(map(os.get_inheritable, range(3)))
    first = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    print("out")
    print("error", file=sys.stderr)
    os.write(first, f"{inheritable} {first}".encode())
"""


def redirected(redirections: str, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command with redirections of a shell; what is not redirected is captured."""
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", *command]
    return subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)


def run_of(folder: Path) -> list[str]:
    return [sys.executable, "main.py", *SMALL, *SIZES, "--run-dir", str(folder)]


@pytest.mark.parametrize("closed", CLOSED)
def test_right_answers_are_accepted_whatever_descriptors_are_closed(closed: str, tmp_path: Path) -> None:
    done = redirected(closed, sys.executable, "-c", JUDGE, tmp_path / "verdicts")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "verdicts").read_text() == "accepted accepted"


@pytest.mark.parametrize("closed", CLOSED)
def test_no_file_gets_the_number_of_a_standard_stream(closed: str, tmp_path: Path) -> None:
    done = redirected(closed, sys.executable, "-c", OPENED, tmp_path / "file")
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == (
        "" if " >" in f" {closed}" else "out\n",
        "" if "2" in closed else "error\n",
    )
    inheritable, number = (tmp_path / "file").read_text().split()
    assert inheritable == "True"
    assert int(number) > 2


@pytest.mark.parametrize("closed", CLOSED)
def test_a_command_does_its_work_whatever_descriptors_are_closed(closed: str, finished: Path) -> None:
    (finished / "report.html").unlink(missing_ok=True)
    done = redirected(closed, sys.executable, "main.py", "report", finished)
    assert (done.returncode, done.stderr) == (0, "")
    assert (finished / "report.html").exists()


def test_a_run_whose_output_is_on_a_full_disk_ends_well(tmp_path: Path) -> None:
    done = redirected(">/dev/full 2>/dev/full", *run_of(tmp_path / "run"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "student").exists()
    assert main(["verify", str(tmp_path / "run")]) == 0


def test_a_run_whose_reader_leaves_goes_on(tmp_path: Path) -> None:
    command = run_of(tmp_path / "run")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 0
    assert (tmp_path / "run" / "student").exists()


def test_a_run_whose_terminal_goes_away_goes_on(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited, as by `nohup`
    with subprocess.Popen(
        run_of(tmp_path / "run"),
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as run:
        signal.signal(signal.SIGHUP, before)
        os.close(theirs)
        shown = b""
        while b"seed problems" not in shown:
            shown += os.read(ours, 2**16)
        os.close(ours)
        assert run.stderr is not None
        assert run.stderr.read() == b""
    assert run.returncode == 0
    assert (tmp_path / "run" / "student").exists()


@pytest.mark.parametrize(
    "options", [["report"], ["report", "--json"], ["trace"], ["trace", "--json"], ["verify"]]
)
def test_what_a_command_cannot_print_is_one_line(options: list[str], finished: Path) -> None:
    name, *rest = options
    done = redirected(">/dev/full", sys.executable, "main.py", name, finished, *rest)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_help_that_cannot_be_printed_is_one_line() -> None:
    done = redirected(">/dev/full", sys.executable, "main.py", "--help")
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("lost", ["2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_an_error_that_nobody_can_read_keeps_its_exit_code(lost: str) -> None:
    assert redirected(lost, sys.executable, "main.py", "report", "nowhere").returncode == 2


def test_an_accuracy_that_nobody_can_read_is_no_success(finished: Path) -> None:
    """Progress may get lost, and the result may not: it is stored nowhere."""
    command = [sys.executable, "main.py", "evaluate", str(finished / "student")]
    command += ["--limit", "2", "--max-new-tokens", "2"]
    assert redirected(">/dev/full", *command).returncode == 1
    shown = redirected("2>/dev/full", *command, "--json")
    assert shown.returncode == 0
    assert '"accuracy"' in shown.stdout


def test_a_lossy_stream_leaves_nothing_that_fails_later() -> None:
    with Path("/dev/full").open("w") as full:
        lossy = Lossy(full)
        for text in ("short", "long" * 10_000):
            lossy.write(text)
            lossy.flush()
        full.flush()
        full.write("short")
        with pytest.raises(OSError, match="No space left"):
            full.flush()
        lossy.flush()


def test_output_waits_for_a_reader_of_a_pipe_that_does_not_block() -> None:
    text = b"x" * 2**20
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with Output(writing, "wb") as output, subprocess.Popen(["wc", "-c"], stdin=reading, stdout=-1) as reader:
        os.close(reading)
        left = memoryview(text)
        while left:
            left = left[output.write(left) :]
        output.close()
        assert reader.stdout is not None
        assert reader.stdout.read().strip() == b"1048576"


def test_an_error_of_standard_output_is_told_apart_from_those_of_files() -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(OutputError) as caught:
        Output(full.fileno(), "wb", closefd=False).write(b"x")
    assert caught.value.errno == errno.ENOSPC
