"""Standard output and standard error, which may be closed, full, or no longer read."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OUTPUT, ERRORS = 1, 2


class Output(FileIO):
    """Standard output, whose errors are told apart from those of files."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            # None: another process made the pipe or terminal non-blocking, and it is full.
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None
        return written


class Lossy:
    """A text stream that drops what cannot be written, on a full disk or where nobody reads any more."""

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
    """Make the streams safe to use for a whole process; enter it before anything else is opened."""
    # A file opened later would get the number of a closed one, and what is printed would end up in it.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= ERRORS:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    before = sys.stdout if isinstance(sys.stdout, TextIOWrapper) else None
    sys.stdout = TextIOWrapper(
        BufferedWriter(Output(OUTPUT, "wb", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",  # a name need not exist in the terminal's encoding
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
    """Write what the stream has buffered, or drop it: else every later `flush` fails, the one at exit too."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):  # of a stream without a descriptor
            descriptor = stream.fileno()
            kept, nothing = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, descriptor)
            stream.flush()
            os.dup2(kept, descriptor)
            os.close(kept)
            os.close(nothing)
