"""Every error that a person may see: its type names the boundary that broke, its text what to do."""

from __future__ import annotations

import shlex
from reprlib import Repr

_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxlong, _BRIEF.maxother = 2, 100, 100, 100

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

UNREAD = 141
"""Exit code where nobody reads on what is printed, as shells have it."""

LONGEST_LINE = 2000
"""Characters; what is left out of a longer line stands in its middle."""


def printable(text: str) -> str:
    """The text with a blank for all that would break a line, steer a terminal or turn the reading order."""
    return "".join(c if c.isprintable() else " " for c in text)


def one_line(text: str) -> str:
    """A message of a line, without runs of blanks and of a length that a person can read."""
    line = " ".join(printable(text).split())
    if len(line) <= LONGEST_LINE:
        return line
    half = LONGEST_LINE // 2
    return f"{line[:half]} [...] {line[-half:]}"


def command_line(*words: object) -> str:
    """A command line of this program. A shell reads back paths with blanks, quotes and brackets too."""
    return f"python main.py {shlex.join(map(str, words))}"


def brief(value: object) -> str:
    """What `repr` says of a value from outside, however long or deep that is."""
    return _BRIEF.repr(value)


def is_unicode(text: str) -> bool:
    """False where it has half a character, as paths and JSON can: no file and no database would take it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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


class StoreBusyError(StoreError):
    """Another process has the database; later it can be read or written again."""


class WorkerError(RunFailedError):
    """A process that trains, generates or solves for the run ended without a result."""


class ProviderError(RunFailedError):
    """A language model cannot be asked any more: its provider denies it, or nothing usable comes back."""


class LimitReachedError(RunFailedError):
    """The run has spent what it may."""


class ListenerError(RunFailedError):
    """The listener that shows the run failed; the files of the run itself are fine."""


class OutputError(OSError):
    """Standard output cannot be written: its reader has left, its disk is full, its terminal is gone."""


class TelemetryError(FddError):
    """Nobody takes the spans that were to be sent."""


class StoppedError(FddError):
    """The run ended at a safe point because it was asked to; `resume` continues it."""
