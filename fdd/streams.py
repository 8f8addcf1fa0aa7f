"""Makes standard output and standard error safe: either may be closed, full, or no longer read."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from fdd.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OUTPUT, ERRORS = 1, 2


class Output(FileIO):
    """Standard output. It raises `OutputError`, so that its errors differ from those of files."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            # None means: the pipe or terminal is full, and another process made it non-blocking.
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None
        return written


class Lossy:
    """A text stream that drops what cannot be written, because the disk is full or the reader is gone."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError:
            drop_unwritten(self._stream)
        return len(text)

    def flush(self) -> None:
        drop_unwritten(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Makes the standard streams safe for the whole process. Enter it before any file is opened."""
    # If a standard stream is closed, a file opened later would get its number, and output would go into it.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= ERRORS:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    before = sys.stdout if isinstance(sys.stdout, TextIOWrapper) else None
    sys.stdout = TextIOWrapper(
        BufferedWriter(Output(OUTPUT, "wb", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",  # the terminal's encoding may lack characters of a file name
        line_buffering=before is not None and before.line_buffering,
        write_through=before is not None and before.write_through,
    )
    if sys.stderr is None:
        sys.stderr = os.fdopen(ERRORS, "w", closefd=False)
    try:
        yield
    finally:
        drop_unwritten(sys.stdout)
        drop_unwritten(sys.stderr)


def drop_unwritten(stream: IO[str]) -> None:
    """Writes the stream's buffer, or drops it if that fails.

    Otherwise every later `flush` would fail, including the one at exit.
    """
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):  # the stream may have no descriptor
            # A buffer cannot be emptied otherwise: write it while the descriptor is the null device.
            descriptor = stream.fileno()
            kept, nothing = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, descriptor)
            stream.flush()
            os.dup2(kept, descriptor)
            os.close(kept)
            os.close(nothing)
