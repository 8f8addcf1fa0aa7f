"""Tests the confinement: tries what workers of the sandbox may not do, in a process confined like them.

The process prints a line for each action that was refused:

    python -P -m fdd.agents.checking.diagnosis FOLDER PORT LAYER ...
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
from fdd.agents.checking.launcher import START_SECONDS, launcher
from fdd.errors import WorkerError

MEGABYTES = 256
RUN = (
    f"import runpy, sys; sys.path.insert(0, {str(IMPORT_ROOT)!r}); "
    f"runpy.run_module({__spec__.name!r}, run_name='__main__')"
)
"""Program that finds this module without environment variables, which workers do not have."""


class Action(StrEnum):
    """What a worker may not do."""

    WRITE = "write files"
    READ = "read files"
    CONNECT = "use the network"
    START = "start processes"
    REACH = "reach other processes"
    GROW = "take memory without end"


FORBIDS = {
    Layer.LIMITS: Action.GROW,
    Layer.NAMESPACE: Action.CONNECT,
    Layer.LANDLOCK: Action.WRITE,
    Layer.SECCOMP: Action.START,
}
"""One action that each layer refuses in every version; newer versions may refuse more."""


def active_layers() -> list[Layer]:
    """The layers that, applied alone on this machine, refuse their action in `FORBIDS`."""
    return [layer for layer, action in FORBIDS.items() if action in refused([layer])]


def refused_to_workers() -> frozenset[Action]:
    """The actions refused to a process that is started like the sandbox's workers."""
    with launcher(sys.executable, MEGABYTES, (sys.prefix, sys.base_prefix, str(IMPORT_ROOT))) as program:
        return refused((), program)


def refused(layers: Iterable[Layer], program: str | None = None) -> frozenset[Action]:
    """The actions that the layers refuse; raises `WorkerError` if they cannot be tried.

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
                timeout=START_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise WorkerError(f"the confinement cannot be tried within {START_SECONDS:g} s") from None
    if done.returncode:
        raise WorkerError(f"the confinement cannot be tried: {(done.stderr.splitlines() or [''])[-1]}")
    return frozenset(map(Action, done.stdout.splitlines()))


def try_actions(folder: Path, port: int, layers: Iterable[Layer]) -> None:
    """Confine this process, try every action, and print those that were refused."""
    actions: dict[Action, Callable[[], object]] = {
        Action.WRITE: partial((folder / "written").write_text, "x"),
        Action.READ: (folder / "secret").read_text,
        Action.CONNECT: partial(_connect, port),
        Action.START: _start_process,
        # Signal 0 is not delivered; it only tests whether the process may be signalled.
        Action.REACH: partial(os.kill, os.getppid(), 0),
        # Twice the limit on the address space.
        Action.GROW: partial(mmap.mmap, -1, 2 * MEGABYTES * 2**20),
    }
    confine(MEGABYTES, sys.path, layers)
    for action, attempt in actions.items():
        try:
            attempt()
        except OSError:
            sys.stdout.write(f"{action}\n")


def _connect(port: int) -> None:
    # Not `create_connection`, which imports a codec that cannot be read any more.
    with socket.socket() as connection:
        connection.connect(("127.0.0.1", port))


def _start_process() -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


if __name__ == "__main__":
    try_actions(Path(sys.argv[1]), int(sys.argv[2]), [Layer(name) for name in sys.argv[3:]])
