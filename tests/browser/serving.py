"""Runs the command `serve` in a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.servers.children import running


@contextlib.contextmanager
def serving(run: Path, output: Path) -> Iterator[str]:
    """Yields the URL of this run's pages; `output` is a folder for the server's output."""
    with running(
        "main", ["serve", str(run), "--port", "0"], output=output / "serve.output", seconds=60
    ) as url:
        yield url
    assert (output / "serve.output").read_text().count("\n") == 1
