"""Starts programs confined, for a caller that can name a program but not its arguments."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agents import confinement

START_SECONDS = 30.0
"""For starting a program on a busy machine."""


@contextmanager
def launcher(program: str, megabytes: int, readable: Sequence[str] = ()) -> Iterator[str]:
    """The path of a program that confines itself and becomes the given one, wherever it is started from.

    It is `program` itself where confined processes do not start. `readable` is what the program may read
    besides itself and the libraries of the system.
    """
    command = [sys.executable, "-I", "-S", confinement.__file__, str(megabytes), os.pathsep.join(readable)]
    script = f'#!/bin/sh\nexec {shlex.join([*command, program])} "$@"\n'
    for kept in (_in_memory, _in_folder):
        with kept(script) as path:
            if path is not None and _starts(path):
                yield path
                return
    yield program


@contextmanager
def _in_memory(script: str) -> Iterator[str | None]:
    """A script that needs no folder in which programs may be executed. Only Linux has such files."""
    if sys.platform != "linux":
        yield None
        return
    with os.fdopen(os.memfd_create("confined"), "w") as file:
        file.write(script)
        file.flush()
        descriptor = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY)
    try:
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _in_folder(script: str) -> Iterator[str]:
    with TemporaryDirectory(prefix="fdd-") as folder:
        path = Path(folder) / "confined"
        path.write_text(script)
        path.chmod(0o700)
        yield str(path)


def _starts(path: str) -> bool:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=START_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
