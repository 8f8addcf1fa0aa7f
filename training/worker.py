"""Runs a task in a child process of its own, so that the memory of torch comes back when it ends.

Events and errors of the child arrive here; the parent never imports torch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import overload

from errors import ChildProcessError, FddError
from training.tasks import (
    DescribeTask,
    DeviceReport,
    Event,
    FineTuned,
    FineTuneTask,
    Generated,
    GenerateTask,
    Outcome,
    Task,
)

POLL_SECONDS = 0.2
STOP = "stop"


class StoppedError(FddError):
    """The child ended at a safe point because `should_stop` asked it to."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the child reports: ours as it is, any other as text."""

    error: FddError


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
def run_in_child(
    task: Task, on_event: Callable[[Event], None], should_stop: Callable[[], bool] = never
) -> Outcome:
    """The task's result; `on_event` is called in this process, in order.

    `should_stop` is asked several times a second; once it says yes the child ends after the batch or step
    that it is at, and `StoppedError` is raised. An error of the child is raised here with its own type, and
    `ChildProcessError` where it died without one. When this process dies, the child ends too.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=True)
    child = context.Process(target=child_main, args=(task, theirs), name="student", daemon=True)
    child.start()
    theirs.close()
    try:
        return follow(child, ours, on_event, should_stop)
    finally:
        ours.close()
        child.terminate()
        child.join()
        child.close()


def follow(
    child: BaseProcess, ours: Connection, on_event: Callable[[Event], None], should_stop: Callable[[], bool]
) -> Outcome:
    asked = False
    while True:
        if not asked and should_stop():
            ours.send(STOP)
            asked = True
        if not wait([ours], timeout=POLL_SECONDS):
            continue
        try:
            message = ours.recv()
        except (EOFError, ConnectionError):
            child.join()
            raise ChildProcessError(describe_exit(child.exitcode or 0)) from None
        if isinstance(message, Failure):
            raise message.error
        if isinstance(message, Outcome):
            return message
        on_event(message)


def describe_exit(code: int) -> str:
    """Why a child that sent no result is gone, and what to do about it."""
    if code == -signal.SIGKILL:
        return (
            "the student's process was killed (SIGKILL), most likely because memory ran out: "
            "close other programs or take a smaller student or batch, then `resume`"
        )
    if code < 0:
        return f"the student's process ended by {signal.Signals(-code).name}; `resume` continues the run"
    return f"the student's process ended with exit code {code} and no result; `resume` continues the run"
