"""Every error that a person may see: its type names the boundary that broke, its text what to do."""

from __future__ import annotations


class FddError(Exception):
    """Base of the errors that end a command with one line instead of a traceback."""


class UsageError(FddError):
    """What the user asked for cannot be done as asked: exit code 2, before anything is written."""


class ProblemSetError(UsageError):
    """A problem file or set is unreadable, malformed, empty, or overlaps another."""


class StudentError(UsageError):
    """A student cannot be found, loaded, or does not match its checksum."""


class RunFailedError(FddError):
    """A run broke after it had started: exit code 1, and `resume` continues it."""


class PreflightError(RunFailedError):
    """The training data would teach the wrong thing; `reason` names the check that failed."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[PreflightError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class StoreError(RunFailedError):
    """The database cannot be read or written."""


class WorkerError(RunFailedError):
    """A process that trains, generates or solves for the run ended without a result."""


class ProviderError(RunFailedError):
    """A language model cannot be asked any more: its provider denies it, or answers nothing."""


class LimitReachedError(RunFailedError):
    """The run has spent what it may."""


class StoppedError(FddError):
    """The run ended at a safe point because it was asked to; `resume` continues it."""
