"""Runs servers in separate processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

URL = re.compile(r"http://127\.0\.0\.1:\d+")
PATIENCE = 5.0
"""Seconds that a server has to end after SIGTERM, before SIGKILL."""


@contextlib.contextmanager
def running(
    module: str,
    arguments: Sequence[str],
    *,
    output: Path,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Starts the module in a process and yields the URL that it prints once it is ready.

    Appends the process's output to the file `output`. Raises `RuntimeError` if the URL does not come within
    `seconds`. The process and all of its children end with the block.
    """
    start = output.stat().st_size if output.exists() else 0
    with output.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _await_url(process, output, start, time.monotonic() + seconds)
    finally:
        _end(process)


def _await_url(process: subprocess.Popen[bytes], output: Path, start: int, deadline: float) -> str:
    while True:
        # Checked before reading, so that the output of a process that has ended is complete.
        ended = process.poll() is not None
        text = output.read_bytes()[start:].decode(errors="replace")
        if found := URL.search(text):
            return found[0]
        if ended or time.monotonic() > deadline:
            how = f"ended with {process.returncode}" if ended else "did not get ready in time"
            raise RuntimeError(f"{process.args!r} {how}; it wrote:\n{text[-2000:]}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    # Even if the process has ended: its children may still be there.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
