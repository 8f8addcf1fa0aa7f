"""Runs every notebook, or the named ones, offline, and saves their outputs.

It is a separate process, so that kernels and their sockets end with it and their warnings fail no test.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from tests.notebooks.running import NOTEBOOKS, ROOT, run

parser = ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
parser.add_argument("names", nargs="*", choices=[[], *(path.stem for path in NOTEBOOKS)])
parser.add_argument(
    "--into", type=Path, default=ROOT / "notebooks", metavar="DIR", help="default: notebooks/"
)
given = parser.parse_args()
os.environ.update(PYTHONPATH=str(ROOT), HF_HUB_OFFLINE="1", LANGSMITH_TRACING="false")
for path in NOTEBOOKS:
    if given.names and path.stem not in given.names:
        continue
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        os.environ.update(IPYTHONDIR=f"{folder}/ipython", JUPYTER_RUNTIME_DIR=f"{folder}/runtime")
        nbformat.write(run(path, Path(folder)), given.into / path.name)
    print(f"{path.name}: {time.monotonic() - began:.0f} s")
