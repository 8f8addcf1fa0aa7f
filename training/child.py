"""The child process of `run_in_child`: performs one task and reports to the parent."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection

from fdd import errors
from fdd.training.tasks import Event, R, Task

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
}
"""Environment variables that libraries read when they are imported."""
NO_MEMORY = re.compile(r"out of memory|can(?:'t|not) allocate memory|_STATUS_ALLOC_FAILED", re.IGNORECASE)
"""Matches error messages of torch, CUDA's libraries and the operating system."""
ADVICE = (
    "close other programs, then `resume`; a new run may take a smaller student, smaller batches or "
    "`--method lora`"
)


def child_main(task: Task[R], parent: Connection) -> None:
    """Sends the parent the task's events, and then its result or the error that ended it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # raises, so that every `finally` runs
    warnings.simplefilter("ignore")  # libraries' advice to programmers, which nobody reads here
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    parent.send(outcome_of(task, parent.send))


def end_with(parent: Connection) -> None:
    """Ends this process when the parent has ended. The parent never writes, so `recv` waits until then."""
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)


def outcome_of(task: Task[R], on_event: Callable[[Event], None]) -> R | errors.FddError:
    try:
        os.environ.update(LIBRARY_VARIABLES)
        module, _, function = task.does.partition(":")
        result: R = getattr(import_module(module), function)(task, on_event)
    except Exception as error:  # the one place that records what broke in the child
        if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
            return errors.WorkerError(f"the student's process ran out of memory: {ADVICE}")
        if isinstance(error, errors.FddError):
            return error
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return errors.WorkerError(f"the student's process failed: {what}")
    return result
