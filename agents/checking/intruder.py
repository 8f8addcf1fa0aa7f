"""Tests the confinement: tries what workers of the sandbox may not do, in a process confined like them.

The process prints a line for each attempt that was refused:

    python -P -m fdd.agents.checking.intruder FOLDER PORT LAYER ...

Started through `launcher`, it shows what the sandbox's workers are refused.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fdd import IMPORT_ROOT
from fdd.agents.checking.confinement import Layer, confine
from fdd.agents.checking.launcher import launcher
from fdd.errors import WorkerError

MEGABYTES = 256
RUN = (
    f"import runpy, sys; sys.path.insert(0, {str(IMPORT_ROOT)!r}); "
    "runpy.run_module('fdd.agents.checking.intruder', run_name='__main__')"
)
"""Program that finds this module without environment variables, which workers do not have."""
SECONDS = 30.0
"""For starting Python on a busy machine."""


class Deed(StrEnum):
    """Attempts of an intruder."""

    WRITE = "write files"
    READ = "read files"
    CONNECT = "use the network"
    START = "start processes"
    REACH = "reach other processes"
    GROW = "take memory without end"


FORBIDS = {
    Layer.LIMITS: Deed.GROW,
    Layer.NAMESPACE: Deed.CONNECT,
    Layer.LANDLOCK: Deed.WRITE,
    Layer.SECCOMP: Deed.START,
}
"""One attempt that each layer refuses in every version; newer versions may refuse more."""


def active_layers() -> list[Layer]:
    """The layers that, applied alone on this machine, refuse their attempt in `FORBIDS`."""
    return [layer for layer, deed in FORBIDS.items() if deed in refused([layer])]


def refused_to_workers() -> frozenset[Deed]:
    """The attempts refused to a process that is started like the sandbox's workers."""
    with launcher(sys.executable, MEGABYTES, (sys.prefix, sys.base_prefix, str(IMPORT_ROOT))) as program:
        return refused((), program)


def refused(layers: Iterable[Layer], program: str | None = None) -> frozenset[Deed]:
    """The attempts that the layers refuse; raises `WorkerError` if they cannot be tried.

    `program` is the Python interpreter or a launcher that becomes it.
    """
    with TemporaryDirectory(prefix="fdd-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        (Path(folder) / "secret").write_text("secret")
        port = server.getsockname()[1]
        try:
            done = subprocess.run(
                [program or sys.executable, "-P", "-c", RUN, folder, str(port), *layers],
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise WorkerError(f"the confinement cannot be tried within {SECONDS:g} s") from None
    if done.returncode:
        raise WorkerError(f"the confinement cannot be tried: {(done.stderr.splitlines() or [''])[-1]}")
    return frozenset(map(Deed, done.stdout.splitlines()))


def intrude(folder: Path, port: int, layers: Iterable[Layer]) -> None:
    """Confine this process, make every attempt, and print those that were refused."""
    attempts: dict[Deed, Callable[[], object]] = {
        Deed.WRITE: partial((folder / "written").write_text, "x"),
        Deed.READ: (folder / "secret").read_text,
        Deed.CONNECT: partial(_connect, port),
        Deed.START: _start_process,
        # Signal 0 is not delivered; it only tests whether the process may be signalled.
        Deed.REACH: partial(os.kill, os.getppid(), 0),
        # Twice the limit on the address space.
        Deed.GROW: partial(mmap.mmap, -1, 2 * MEGABYTES * 2**20),
    }
    confine(MEGABYTES, sys.path, layers)
    for deed, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            sys.stdout.write(f"{deed}\n")


def _connect(port: int) -> None:
    with socket.socket() as end:
        end.connect(("127.0.0.1", port))


def _start_process() -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


if __name__ == "__main__":
    intrude(Path(sys.argv[1]), int(sys.argv[2]), [Layer(name) for name in sys.argv[3:]])
