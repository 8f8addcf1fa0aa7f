"""All errors that are shown to people. The type names the boundary that broke, the text says what to do."""

from __future__ import annotations

import shlex
import sys
from reprlib import Repr

_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxlong, _BRIEF.maxother = 2, 100, 100, 100

PROGRAM = "fdd" if sys.argv[0].endswith("/fdd") else "python main.py"
"""How a person runs this program: the installed command, or from a checkout."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells: 128 plus SIGINT (2)."""

UNREAD = 141
"""Exit code if the reader of the output is gone, as in shells: 128 plus SIGPIPE (13)."""

LONGEST_LINE = 2000
"""Most characters of a message; a longer one is cut in the middle."""


def printable(text: str) -> str:
    """Replaces line breaks, terminal control characters and changes of the text direction by spaces."""
    return "".join(c if c.isprintable() else " " for c in text)


def one_line(text: str) -> str:
    """Formats a message as one printable line without repeated spaces, cut to about `LONGEST_LINE`."""
    line = " ".join(printable(text).split())
    if len(line) <= LONGEST_LINE:
        return line
    half = LONGEST_LINE // 2
    return f"{line[:half]} [...] {line[-half:]}"


def command_line(*words: object) -> str:
    """Formats a command line of this program, quoted for a shell."""
    return f"{PROGRAM} {shlex.join(map(str, words))}"


def brief(value: object) -> str:
    """Returns the `repr` of a value from outside, shortened if it is long or deeply nested."""
    return _BRIEF.repr(value)


def is_unicode(text: str) -> bool:
    """Returns False for a text with a lone surrogate (invalid Unicode), as paths and JSON can contain.

    Such a text cannot be written to a file or to the database.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class FddError(Exception):
    """Base class of errors that end a command with a one-line message instead of a traceback."""


class UsageError(FddError):
    """The user's request cannot be carried out: exit code 2, before anything is written."""


class ProblemSetError(UsageError):
    """A problem file or set is unreadable, malformed, empty, or overlaps another."""


class StudentError(UsageError):
    """A student cannot be found, loaded, or does not match its checksum."""


class RunFailedError(FddError):
    """A run failed after it had started: exit code 1, and `resume` continues it."""


class PreflightError(RunFailedError):
    """The training data would teach the wrong thing."""


class StoreError(RunFailedError):
    """The database cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process uses the database; a later try can succeed."""


class WorkerError(RunFailedError):
    """A process that trains, generates or solves for the run ended without a result."""


class ProviderError(RunFailedError):
    """A language model cannot be used any more: its provider refuses, or it returns nothing usable."""


class LimitReachedError(RunFailedError):
    """The run has reached a limit on its cost, tokens or calls."""


class ListenerError(RunFailedError):
    """The listener that shows the run failed; the files of the run itself are fine."""


class OutputError(OSError):
    """Standard output cannot be written: its reader or terminal is gone, or its disk is full."""


class TelemetryError(FddError):
    """The collector did not accept the spans."""


class StoppedError(FddError):
    """The run ended at a safe point because it was asked to; `resume` continues it."""
