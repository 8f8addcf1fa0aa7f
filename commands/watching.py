"""Runs work in the terminal and stops it at a safe point on Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fdd.errors import INTERRUPTED, StoppedError, command_line
from fdd.settings import cache_folder

if TYPE_CHECKING:
    from fdd.commands.console import RunView
    from fdd.graph.state import RunState

ASKED_TO_STOP = "Stopping at the next safe point; press Ctrl-C again to stop at once."


def watch(folder: Path, work: Callable[..., RunState]) -> int:
    """Runs `work` in a run folder, shows its progress and result, and stops it on Ctrl-C; returns 0."""
    from fdd.commands.console import RunView, show_result
    from fdd.reporting.results import precise
    from fdd.reporting.terminal import terminal
    from fdd.storage.folder import open_store

    console = terminal()
    stopped = f"Stopped; nothing is lost. Go on with: {command_line('resume', folder)}"
    with RunView(console, folder) as view:
        with stop_on_signals(view, stopped) as stop:
            try:
                work(folder, view, cache=cache_folder(), should_stop=stop.is_set)
            except StoppedError:
                view.noticed(stopped)
                raise
        view.close()
        store = open_store(folder)
        show_result(console, folder, precise(store, store.summary()))
    return 0


@contextmanager
def stop_on_signals(view: RunView, stopped: str) -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C or SIGTERM sets. A second Ctrl-C ends the process at once.

    It ends like after `kill -9`, which every run survives, because an orderly exit would wait for requests in
    flight. A second SIGTERM does not end the process: `timeout` sends each signal twice.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        at_once = stop.is_set() and number == signal.SIGINT
        stop.set()
        with suppress(RuntimeError):  # the signal may have come in the middle of a print
            if at_once:
                view.close()
            view.noticed(stopped if at_once else ASKED_TO_STOP)
        if at_once:
            os._exit(INTERRUPTED)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
