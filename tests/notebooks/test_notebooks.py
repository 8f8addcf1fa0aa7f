"""Each notebook runs offline on the tiny student and shows what it was committed with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.running import NOTEBOOKS, ROOT

PLACE = re.compile(r"/(?:home|root|tmp|usr|work|Users|private|var|opt|mnt)/|[A-Za-z]:\\\\|0x[0-9a-f]{6,}")
"""Beginnings of paths of a machine, and addresses in its memory."""
TIME = re.compile(r"\d\d:\d\d:\d\d|20\d\d-\d\d-\d\d")


def codes(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(output: NotebookNode) -> list[str]:
    """Everything that a reader may see of an output."""
    return [output.text] if output.output_type == "stream" else [str(each) for each in output.data.values()]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    return nbformat.read(request.param, as_version=4)


def test_there_are_three() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03"]


def test_it_is_committed_with_outputs_and_without_errors(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    cells = codes(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert len(outputs) > len(cells) / 2
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}


def test_nothing_in_it_tells_of_a_machine_or_a_time(notebook: NotebookNode) -> None:
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert all(not cell.metadata for cell in notebook.cells)
    for cell in codes(notebook):
        for text in (text for output in cell.outputs for text in texts(output)):
            found = [each for each in PLACE.findall(text) if each not in cell.source]
            assert found + TIME.findall(text) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_it_was_committed_with(path: Path, tmp_path: Path, cache: Path) -> None:
    """If what it shows was meant to change: `python -m tests.notebooks`, and look at it."""
    command = [sys.executable, "-m", "tests.notebooks", path.stem, "--into", str(tmp_path)]
    environment = {**os.environ, "FDD_CACHE": str(cache)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    committed, new = (nbformat.read(each, as_version=4) for each in (path, tmp_path / path.name))
    for before, after in zip(codes(committed), codes(new), strict=True):
        assert after.outputs == before.outputs, before.source
