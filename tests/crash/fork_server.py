"""A fork server: it has imported everything, so that the processes of runs start without delay.

    python -m tests.crash.fork_server

Reads one `Launch` per line and answers each with its `Exit`. Imports at the top of this module must be cheap,
because every student's process imports it.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import select
import signal
import sys
import time
import traceback
from multiprocessing import forkserver
from pathlib import Path
from typing import NoReturn

from pydantic import TypeAdapter

from tests.crash.process import Exit, Launch

PATIENCE = 60.0
"""Seconds that the child processes of a process have to end after it."""
WARM = (
    *("langchain.chat_models", "langchain_openai", "langsmith.run_helpers", "openai", "reasoning_gym"),
    *("fdd.graph.score", "main", "tests.crash.points"),
)
"""Modules that take long to import."""
CAPABILITIES_3 = 0x20080522
"""Version 3 of the structures that capset(2) takes."""

LAUNCH, EXIT = TypeAdapter(Launch), TypeAdapter(Exit)


def main() -> None:
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)  # other output goes to standard error, so that it cannot mix with the answers
        warm_up()
        print(file=answers)
        for line in sys.stdin:
            print(EXIT.dump_json(fork(LAUNCH.validate_json(line))).decode(), file=answers)


def warm_up() -> None:
    for name in WARM:
        importlib.import_module(name)
    forkserver.set_forkserver_preload(["fdd.training.preload"])
    forkserver.ensure_running()


def fork(launch: Launch) -> Exit:
    # multiprocessing's fork server ends when a process is killed while it requests a student's process.
    forkserver.ensure_running()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        run_main(launch)
    if launch.moment is not None:
        kill_at(pid, launch.moment, alone=launch.alone)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - began
    return Exit(pid=pid, code=os.waitstatus_to_exitcode(status), seconds=seconds, left=await_end(pid))


def kill_at(pid: int, moment: float, *, alone: bool) -> None:
    """Sends SIGKILL after `moment` seconds, unless the process has ended by then."""
    watch = os.pidfd_open(pid)
    ended, _, _ = select.select([watch], [], [], moment)
    os.close(watch)
    if ended:
        return
    os.kill(pid, signal.SIGKILL)
    if not alone:
        for child in followers(pid):
            os.kill(child, signal.SIGKILL)


def await_end(pid: int) -> int:
    """Counts the child processes that did not end after the one that died, and kills them."""
    deadline = time.monotonic() + PATIENCE
    while (left := followers(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return len(left)


def followers(pid: int) -> list[int]:
    """Returns the processes of its session, and the students, which the fork server has as its children."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended since
            continue
        if state != "Z" and (int(session) == pid or int(parent) == server) and int(entry.name) != pid:
            found.append(int(entry.name))
    return found


def run_main(launch: Launch) -> NoReturn:
    """Runs `main.py` in the forked child."""
    code = 1
    try:
        os.setsid()
        redirect(launch.output)
        os.environ["FDD_CACHE"] = launch.cache
        prepare(launch)
        from fdd.main import main

        code = main(launch.arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # not sys.exit, which would run the exit handlers of the parent process


def redirect(output: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)


def prepare(launch: Launch) -> None:
    import pytest

    from tests.crash.points import Points, shake_clock

    patch = pytest.MonkeyPatch()  # never undone: the process ends
    # The fork server of students is a child of our parent process; only the parent can wait for it.
    patch.setattr(forkserver._forkserver, "ensure_running", lambda: None)
    Points(launch).hook(patch)
    if launch.jumps:
        shake_clock(patch, launch.jumps)
    if launch.ordinary:
        drop_privileges()


def drop_privileges() -> None:
    """Drops root's capabilities, so that file permissions apply to this process too. Raises `OSError`."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    main()
