"""A process that has imported everything, from which the lives of runs are forked: each begins at once.

    python -m tests.crash.nursery

It takes one `Life` a line and answers with its `Death`. The top of this module stays light, because every
student's process imports it.
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

from tests.crash.life import Death, Life

PATIENCE = 60.0
"""Seconds that the processes of a life get to follow it."""
WARM = (
    *("langchain.chat_models", "langchain_openai", "langsmith.run_helpers", "openai", "reasoning_gym"),
    *("graph.score", "main", "tests.crash.points"),
)
"""What takes long to import."""
CAPABILITIES_3 = 0x20080522
"""Version of the structures that the system call takes (capget(2))."""

LIFE, DEATH = TypeAdapter(Life), TypeAdapter(Death)


def main() -> None:
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)  # nothing else that is printed comes between the answers
        warm_up()
        print(file=answers)
        for line in sys.stdin:
            print(DEATH.dump_json(raise_one(LIFE.validate_json(line))).decode(), file=answers)


def warm_up() -> None:
    for name in WARM:
        importlib.import_module(name)
    forkserver.set_forkserver_preload(["training.preload"])
    forkserver.ensure_running()


def raise_one(life: Life) -> Death:
    # A life that is killed while it asks the server for a student takes the server with it.
    forkserver.ensure_running()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        live(life)
    if life.moment is not None:
        kill_at(pid, life.moment, alone=life.alone)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - began
    return Death(pid=pid, code=os.waitstatus_to_exitcode(status), seconds=seconds, left=await_end(pid))


def kill_at(pid: int, moment: float, *, alone: bool) -> None:
    """SIGKILL after so many seconds, unless it has ended by then."""
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
    """How many processes did not follow the one that died; these are ended here."""
    deadline = time.monotonic() + PATIENCE
    while (left := followers(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return len(left)


def followers(pid: int) -> list[int]:
    """Those of its session and the students, which are forked elsewhere."""
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


def live(life: Life) -> NoReturn:
    """The child's side."""
    code = 1
    try:
        os.setsid()
        redirect(life.output)
        os.environ["FDD_CACHE"] = life.cache
        prepare(life)
        from main import main

        code = main(life.arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def redirect(output: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)


def prepare(life: Life) -> None:
    import pytest

    from tests.crash.points import Points, shake_clock

    patch = pytest.MonkeyPatch()  # never undone: the process ends
    # The server is the nursery's child, which only the nursery can look after.
    patch.setattr(forkserver._forkserver, "ensure_running", lambda: None)
    Points(life).hook(patch)
    if life.jumps:
        shake_clock(patch, life.jumps)
    if life.ordinary:
        drop_privileges()


def drop_privileges() -> None:
    """Let file modes bind root as they bind everybody else."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    main()
