"""Runs a task in a child process of its own, so that the memory of torch comes back when it ends.

Events and errors of the child arrive here; the parent never imports torch.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import overload

import errors
from training.child import ADVICE, child_main
from training.tasks import (
    Checked,
    CheckTask,
    Converted,
    ConvertTask,
    DescribeTask,
    DeviceReport,
    Event,
    Failure,
    FineTuned,
    FineTuneTask,
    Generated,
    GenerateTask,
    Measured,
    MeasureTask,
    Outcome,
    Prompting,
    PromptTask,
    Task,
)

POLL_SECONDS = 0.2
GRACE_SECONDS = 10
"""How long a child may take to clean up after it was asked to end."""
LONGEST_TMPDIR = 71
"""Bytes. A socket's path has at most 103 (macOS; Linux: 107), and multiprocessing appends 32 of them."""
SHORT_TMPDIRS = ("/tmp", "/var/tmp", "/dev/shm")
STARTING = threading.Lock()
"""Held while a child starts, for which settings of the whole process are changed."""


def never() -> bool:
    return False


@overload
def run_in_child(
    task: FineTuneTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> FineTuned: ...
@overload
def run_in_child(
    task: GenerateTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Generated: ...
@overload
def run_in_child(
    task: DescribeTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> DeviceReport: ...
@overload
def run_in_child(
    task: MeasureTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Measured: ...
@overload
def run_in_child(
    task: CheckTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Checked: ...
@overload
def run_in_child(
    task: PromptTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Prompting: ...
@overload
def run_in_child(
    task: ConvertTask, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Converted: ...
def run_in_child(
    task: Task, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Outcome:
    """The task's result; `on_event` is called in this process, in order.

    `should_stop` is asked several times a second; once it says yes the child is ended and `StoppedError`
    raised: batches reported stay, unfinished ones leave nothing behind. An error of the child is raised here
    with its own type, and `WorkerError` where it died without one. When this process dies, so does the
    child.
    """
    # Torch and transformers are imported once, by the server that every child is forked from.
    context = get_context("forkserver")
    context.set_forkserver_preload(["training.preload"])
    ours, theirs = context.Pipe(duplex=True)
    child = context.Process(target=child_main, args=(task, theirs), name="student", daemon=True)
    try:
        with STARTING, without_main_module(), short_tmpdir():
            child.start()
    except (OSError, EOFError) as error:
        raise errors.WorkerError(f"cannot start the student's process: {error}") from None
    theirs.close()
    try:
        return follow(child, ours, on_event, should_stop)
    finally:
        end(child)
        ours.close()


@contextmanager
def without_main_module() -> Iterator[None]:
    """Children that start in this block do not import the caller's script, which would run it again.

    multiprocessing imports it for what is pickled from there, which is nothing here, but leaves out main
    modules of packages.
    """
    main = sys.modules["__main__"]
    spec = main.__spec__
    main.__spec__ = ModuleSpec("training.__main__", None)
    try:
        yield
    finally:
        main.__spec__ = spec


@contextmanager
def short_tmpdir() -> Iterator[None]:
    """In this block the socket of the server that children are forked from gets a short path."""
    given, folder = tempfile.tempdir, tempfile.gettempdir()
    if len(os.fsencode(folder)) > LONGEST_TMPDIR:
        short = next((name for name in SHORT_TMPDIRS if os.access(name, os.W_OK | os.X_OK)), None)
        if short is None:
            raise errors.UsageError(
                f"the folder for temporary files {folder!r} has too long a name for a socket: set TMPDIR to "
                f"a folder whose name has at most {LONGEST_TMPDIR} bytes"
            )
        tempfile.tempdir = short
    try:
        yield
    finally:
        tempfile.tempdir = given


def follow(
    child: BaseProcess, ours: Connection, on_event: Callable[[Event], None], should_stop: Callable[[], bool]
) -> Outcome:
    while True:
        if should_stop():
            raise errors.StoppedError("stopped as asked")
        if not ours.poll(POLL_SECONDS):
            continue
        try:
            message = ours.recv()
        except (EOFError, OSError):  # an OSError where it died in the middle of a message
            child.join()
            if should_stop():  # whoever asked this process to stop may have asked the child as well
                raise errors.StoppedError("stopped as asked") from None
            raise errors.WorkerError(describe_exit(child.exitcode or 0)) from None
        if not isinstance(message, Failure | Outcome):
            on_event(message)
            continue
        child.join(GRACE_SECONDS)
        if isinstance(message, Failure):
            raise message.error
        return message


def end(child: BaseProcess) -> None:
    child.terminate()
    child.join(GRACE_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
    child.close()


def describe_exit(code: int) -> str:
    """Why a child that sent no result is gone, and what to do about it."""
    if code == -signal.SIGKILL:
        return f"the student's process was killed (SIGKILL), most likely because memory ran out: {ADVICE}"
    if code < 0:
        return f"the student's process ended by {signal.Signals(-code).name}; `resume` continues the run"
    return f"the student's process ended with exit code {code} and no result; `resume` continues the run"
