"""Runs a notebook in a kernel of this interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 600


class ThisInterpreter(AsyncKernelManager):
    """Starts a kernel of this interpreter, whatever kernel specifications are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def run(path: Path, folder: Path) -> NotebookNode:
    """Runs a notebook in `folder`; returns it with new outputs.

    Raises nbclient's `CellExecutionError` if a cell raises. Times and metadata of the kernel are not kept, so
    that only outputs can change.
    """
    notebook = nbformat.read(path, as_version=4)
    before = notebook.metadata
    notebook.metadata = dict(before)
    client = NotebookClient(
        notebook,
        km=ThisInterpreter(),
        timeout=CELL_SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    notebook.metadata = before
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Joins successive outputs to the same stream, as their division depends on timing."""
    whole: list[NotebookNode] = []
    for output in outputs:
        last = whole[-1] if whole else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole
