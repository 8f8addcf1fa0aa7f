"""Starts programs confined, for an API that takes the path of a program but no arguments."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fdd.agents.checking import confinement

START_SECONDS = 30.0
"""Time-out for starting a program, enough for a busy machine."""


@contextmanager
def launcher(program: str, megabytes: int, readable: Sequence[str] = ()) -> Iterator[str]:
    """Yield the path of a program that confines its process and then becomes the given program.

    The path is `program` itself if confined processes do not start on this machine. `readable` lists the
    paths that the program may read besides itself and the system's libraries.
    """
    command = [sys.executable, "-I", "-S", confinement.__file__, str(megabytes), os.pathsep.join(readable)]
    script = f'#!/bin/sh\nexec {shlex.join([*command, program])} "$@"\n'
    # In memory first: the temporary folder may be mounted without permission to execute.
    for kept in (_in_memory, _in_folder) if sys.platform == "linux" else (_in_folder,):
        with kept(script) as path:
            if _starts(path):
                yield path
                return
    yield program


@contextmanager
def _in_memory(script: str) -> Iterator[str]:
    """Keep the script in memory, for machines that allow no programs in temporary folders; Linux only."""
    with os.fdopen(os.memfd_create("confined"), "w") as file:
        file.write(script)
        file.flush()
        # Reopened for reading: Linux does not execute a file that is open for writing.
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
