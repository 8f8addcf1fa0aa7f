"""Runs each task in its own child process, so that torch's memory is released when the task ends.

The child sends its events and errors to the parent, which never imports torch.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from fdd import errors
from fdd.training.tasks import Event, OnEvent, R, Task

LIBRARY_VARIABLES = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    # Torch then asks the driver whether there is a GPU. A CUDA context would not survive a fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # Threads that spin while they wait keep the threads they wait for off the cores as soon as another
    # program runs too: 57 tokens/s instead of 497 were measured on two busy cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    # No process of vLLM's own: it would outlive ours.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Environment variables that libraries read when they are imported."""
NO_MEMORY = re.compile(r"out of memory|can(?:'t|not) allocate memory|_STATUS_ALLOC_FAILED", re.IGNORECASE)
"""Matches error messages of torch, CUDA's libraries and the operating system."""
ADVICE = (
    "close other programs, then `resume`; a new run may take a smaller model, smaller batches or "
    "`--method lora`"
)
POLL_SECONDS = 0.2
GRACE_SECONDS = 10
"""Time that a child has to clean up after SIGTERM, before it is killed."""
LONGEST_TMPDIR = 71
"""In bytes. A socket's path may have 103 bytes (macOS; Linux: 107), of which multiprocessing appends 32."""
STARTING = threading.Lock()
"""Held while `settings_to_start` changes settings of the whole process."""


def never() -> bool:
    return False


def run_in_child(task: Task[R], on_event: OnEvent, should_stop: Callable[[], bool] = never) -> R:
    """Runs the task in a child process and returns its result. Calls `on_event` in this process, in order.

    Calls `should_stop` several times a second. Once it returns True, the child is ended and `StoppedError`
    raised. An error in the child is raised here with its own type, or as `WorkerError` if the child died
    without reporting one. If this process dies, the child ends too.
    """
    # The server that every child is forked from imports torch and transformers once.
    context = get_context("forkserver")
    context.set_forkserver_preload(["fdd.training.preload"])
    ours, theirs = context.Pipe(duplex=True)  # the child reads as well, to notice when this process dies
    child = context.Process(target=child_main, args=(task, theirs), name="student", daemon=True)
    try:
        with STARTING, settings_to_start():
            child.start()
    except (OSError, EOFError) as error:
        raise errors.WorkerError(f"cannot start the model's process: {error}") from None
    theirs.close()  # otherwise `recv` would never raise EOFError when the child dies
    try:
        result: R = follow(child, ours, on_event, should_stop)
    finally:
        child.terminate()
        child.join(GRACE_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        child.close()
        ours.close()
    return result


@contextmanager
def settings_to_start() -> Iterator[None]:
    """Keeps children that start in this block from importing the caller's script, which would run it again.

    multiprocessing imports the main module so that objects defined in it can be unpickled. Tasks contain
    none, and multiprocessing does not import a main module called `PACKAGE.__main__`. The block also makes it
    create its fork server's socket under a path that is short enough.
    """
    main = sys.modules["__main__"]
    spec, folder = main.__spec__, tempfile.gettempdir()
    main.__spec__ = ModuleSpec("training.__main__", None)
    if len(os.fsencode(folder)) > LONGEST_TMPDIR:
        tempfile.tempdir = "/tmp"
    try:
        yield
    finally:
        main.__spec__, tempfile.tempdir = spec, folder


def follow(child: BaseProcess, ours: Connection, on_event: OnEvent, should_stop: Callable[[], bool]) -> Any:
    while True:
        if should_stop():
            raise errors.StoppedError("stopped as asked")
        if not ours.poll(POLL_SECONDS):
            continue
        try:
            message = ours.recv()
        except (EOFError, OSError):  # OSError if it died in the middle of a message
            child.join()
            if should_stop():  # the signal that stops this process may have reached the child first
                raise errors.StoppedError("stopped as asked") from None
            raise errors.WorkerError(describe_exit(child.exitcode or 0)) from None
        if isinstance(message, Event):
            on_event(message)
            continue
        child.join(GRACE_SECONDS)
        if isinstance(message, errors.FddError):
            raise message
        return message


def describe_exit(code: int) -> str:
    if code == -signal.SIGKILL:
        return f"the model's process was killed (SIGKILL), most likely because memory ran out: {ADVICE}"
    if code < 0:
        return f"the model's process ended by {signal.Signals(-code).name}; `resume` continues the run"
    return f"the model's process ended with exit code {code} and no result; `resume` continues the run"


def child_main(task: Task[R], parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # raises, so that every `finally` runs
    warnings.simplefilter("ignore")  # libraries' advice to programmers, which nobody reads here
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    parent.send(outcome_of(task, parent.send))


def end_with(parent: Connection) -> None:
    """Ends this process when the parent has ended. The parent never writes, so `recv` waits until then."""
    with suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)


def outcome_of(task: Task[R], on_event: OnEvent) -> R | errors.FddError:
    try:
        os.environ.update(LIBRARY_VARIABLES)
        module, _, function = task.does.partition(":")
        result: R = getattr(import_module(module), function)(task, on_event)
    except Exception as error:  # the one place that records what broke in the child
        if is_out_of_memory(error):
            return errors.WorkerError(f"the model's process ran out of memory: {ADVICE}")
        if isinstance(error, errors.FddError):
            return error
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return errors.WorkerError(f"the model's process failed: {what}")
    return result


def is_out_of_memory(error: Exception) -> bool:
    # Mostly a RuntimeError, so that only the text says so.
    return isinstance(error, MemoryError) or bool(NO_MEMORY.search(str(error)))
