"""Runs every notebook, or those that are named, and keeps what they show."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from tests.notebooks.running import NOTEBOOKS, run

chosen = [path for path in NOTEBOOKS if not sys.argv[1:] or path.stem in sys.argv[1:]]
for path in chosen:
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        nbformat.write(run(path, Path(folder)), path)
    print(f"{path.name}: {time.monotonic() - began:.0f} s")
