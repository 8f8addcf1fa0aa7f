"""Locks that let only one process at a time work in a run folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from fdd.errors import StoreError, UsageError

LOCK = "run.lock"
"""File with the id of the process at work. It is never removed: a lock on a removed file keeps nobody out."""
PATIENCE = 0.2
"""Seconds for which a lock is tried again, because `is_held` holds it for an instant."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock on the folder during the block. The system releases it if this process dies.

    Raises `UsageError`, which names the process, if another one holds it, and `StoreError` if the folder
    cannot be written.
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
    """Returns True if a process is at work in the folder."""
    try:
        file = (folder / LOCK).open("rb", buffering=0)
    except OSError:
        return False
    with file:
        try:
            # A shared lock, so that two processes that only look do not see each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def cannot_write(folder: Path, error: Exception) -> StoreError:
    reason = getattr(error, "strerror", None) or error
    return StoreError(f"cannot write into {str(folder)!r}: {reason}; mend that, then resume")
