"""Who is told about a run while it goes on."""

from __future__ import annotations

from typing import Protocol

from fdd.domain import Progress


class Listener(Protocol):
    """Receives notifications about a run."""

    def advanced(self, progress: Progress) -> None:
        """A phase began (`done` is 0), went on, or ended (`done` equals `total`)."""
        ...

    def evaluated(self, round: int) -> None:
        """The student of this round has been evaluated and everything about it is in the store."""
        ...

    def noticed(self, text: str) -> None:
        """Something a person should know happened."""
        ...


class Unwatched:
    """Ignores every notification."""

    def advanced(self, progress: Progress) -> None: ...

    def evaluated(self, round: int) -> None: ...

    def noticed(self, text: str) -> None: ...


UNWATCHED = Unwatched()
