"""One process at a time works in the folder of a run."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from errors import StoppedError, StoreError, UsageError

LOCK = "run.lock"
"""Names the process at work. The file stays, since a lock on a file that was removed keeps nobody out."""
PATIENCE = 0.2
"""Seconds for which a lock is tried: whoever looks if somebody is at work has it for an instant."""
POLL_SECONDS = 0.1


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The right to work in the folder, which the system takes back when this process dies in any way.

    Raises `UsageError` with the process that has it, and `StoreError` where the folder cannot be written.
    """
    try:
        file = (folder / LOCK).open("a+b", buffering=0)
    except OSError as error:
        raise cannot_write(folder, error) from None
    with file:
        _take(file, folder)
        yield


def _take(file: FileIO, folder: Path) -> None:
    try:
        _lock(file)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
    except BlockingIOError:
        file.seek(0)
        holder = file.read().decode()
        raise UsageError(
            f"process {holder} is at work in {str(folder)!r}: wait until it has ended, or end it first"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from None


def _lock(file: FileIO) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def is_held(folder: Path) -> bool:
    """Whether a process is at work in the folder."""
    try:
        file = (folder / LOCK).open("rb", buffering=0)
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def asking(folder: Path, on_wait: Callable[[], object], should_stop: Callable[[], bool]) -> Iterator[int]:
    """The right to ask models for the run in this folder: a descriptor, which who asks is to hold.

    A process that was asked by an earlier one, which was killed, has it until every reply is stored. Then
    `on_wait` is called once; raises `StoppedError` when `should_stop` says so meanwhile.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not _is_ours(descriptor):
            on_wait()
            while not _is_ours(descriptor):
                if should_stop():
                    raise StoppedError("stopped as asked")
                time.sleep(POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Folders on some network drives cannot be locked; nobody can wait there.
        return True
    return True


def cannot_write(folder: Path, error: Exception) -> StoreError:
    reason = getattr(error, "strerror", None) or error
    return StoreError(f"cannot write into {str(folder)!r}: {reason}; mend that, then resume")
