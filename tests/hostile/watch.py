"""Detects when a judged text reaches out of the sandbox: to files, a port, processes or a secret."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fdd.domain import Verdict

SECRET = "FDD_CANARY"
"""The environment variable that holds the secret."""

EVENTS = {
    0x001: "was read",
    0x002: "was changed",
    0x004: "got other attributes",
    0x020: "was opened",
    0x040: "was moved away",
    0x080: "was moved here",
    0x100: "was created",
    0x200: "was deleted",
}
"""Events of inotify, which reports them whichever process causes them."""
EVENT = struct.Struct("iIII")
"""The head of an event (inotify(7)): watch, mask, cookie, length of the name that follows."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What must not be touched while hostile texts are judged."""

    folder: Path
    """Holds the files `number` (42) and `secret`."""
    token: str
    """The secret, which is in the file and in the environment."""
    server: socket.socket
    """Listens on a port to which nobody may connect."""
    events: int
    """File descriptor of inotify, which watches the folder."""
    others: frozenset[int]
    """Children of this process that existed before, and so are not workers of the sandbox."""

    @property
    def places(self) -> Mapping[str, str]:
        """Values for the placeholders in the corpus."""
        return {
            "folder": str(self.folder),
            "number": str(self.folder / "number"),
            "secret": str(self.folder / "secret"),
            "port": str(self.server.getsockname()[1]),
        }

    def escapes(self, verdict: Verdict) -> list[str]:
        """Returns what has been reached since the last call; empty if nothing was."""
        return [*self._touched(), *self._connected(), *self._started(), *self._told(verdict)]

    def _touched(self) -> Iterator[str]:
        with contextlib.suppress(BlockingIOError):
            while found := os.read(self.events, 2**16):
                yield from _events(found)

    def _connected(self) -> Iterator[str]:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self.server.accept()
            connection.close()
            yield "the port was reached"

    def _started(self) -> Iterator[str]:
        """Yields the processes that workers started: workers should have no children of their own."""
        for child in children(os.getpid()) - self.others:
            yield from (f"a worker started process {process}" for process in children(child))

    def _told(self, verdict: Verdict) -> Iterator[str]:
        if self.token in verdict.detail:
            yield "the verdict tells the secret"
        if not verdict.detail.isprintable():
            yield "the verdict holds control characters"


@contextmanager
def watching() -> Iterator[Watch]:
    """Sets up everything to watch. Processes started inside inherit the secret from the environment."""
    token, others = secrets.token_hex(16), frozenset(children(os.getpid()))
    with (
        TemporaryDirectory(prefix="fdd-watch-") as name,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        folder = Path(name)
        (folder / "number").write_text("42")
        (folder / "secret").write_text(token)
        server.setblocking(False)
        os.environ[SECRET] = token
        events = _watch(folder)
        try:
            yield Watch(folder, token, server, events, others)
        finally:
            os.close(events)
            del os.environ[SECRET]


def children(process: int) -> set[int]:
    """Returns the running children of a process; empty if the process itself has ended."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def _watch(folder: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    events: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(events, os.fsencode(folder), sum(EVENTS)) >= 0
    return events


def _events(found: bytes) -> Iterator[str]:
    at = 0
    while at < len(found):
        _, mask, _, length = EVENT.unpack_from(found, at)
        at += EVENT.size + length
        name = found[at - length : at].rstrip(b"\0").decode() or "the folder"
        yield from (f"{name} {what}" for event, what in EVENTS.items() if mask & event)
