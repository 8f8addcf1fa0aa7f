"""The command line of feedback-driven distillation: teach a student, inspect the run, export the student.

Run `python main.py --rounds 2`, or `python main.py --help`. Each command is a file in `commands/` that is
imported only when it is used. Heavy imports stay inside the functions that need them, for a fast start.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from errno import ENAMETOOLONG, EPIPE
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from fdd.errors import INTERRUPTED, PROGRAM, UNREAD, FddError, OutputError, StoppedError, UsageError, one_line
from fdd.streams import standard_streams

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS = (
    "resume",
    "evaluate",
    "report",
    "compare",
    "control",
    "study",
    "trace",
    "why",
    "serve",
    "export",
    "verify",
    "doctor",
)

NAME = PROGRAM.split()[-1]
PLATFORMS = ("linux", "darwin")
"""Locks, the sandbox and child processes need a POSIX system; no other one was tried."""


class Parser(ArgumentParser):
    """An argument parser with one-line errors. If its help cannot be written, it raises `OutputError`."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        print(self.format_help(), end="", file=file)
        sys.stdout.flush()

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{PROGRAM.removesuffix(NAME)}{self.prog} --help`")


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit code.

    0: done; 1: failed, or `verify` or `doctor` found a fault; 2: wrong input; 130: interrupted; 141: the
    reader of the output is gone.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the hub's client is imported
    try:
        if sys.platform not in PLATFORMS:
            raise UsageError(f"runs on Linux and macOS, not on {sys.platform!r}: on Windows, use WSL")
        given = build_parser(arguments).parse_args(arguments)
        command: Callable[[Namespace], int] = given.command
        code = command(given)
        sys.stdout.flush()
        return code
    except (StoppedError, KeyboardInterrupt):
        return INTERRUPTED
    except FddError as error:
        complain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except OutputError as error:
        if error.errno == EPIPE:
            return UNREAD
        complain(f"cannot write to standard output: {error.strerror}")
        return 1
    except OSError as error:
        # A name from the command line can be too long for the file system: that is wrong input.
        if error.errno != ENAMETOOLONG:
            raise
        complain(f"{error}; give a shorter name")
        return 2


def complain(message: str) -> None:
    """Prints an error in one line. If that fails, the exit code has to suffice."""
    with suppress(OSError):
        print(f"error: {one_line(message)}", file=sys.stderr)


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """Builds the parser of the command that the arguments begin with, or that of a run if there is none."""
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        parser = Parser(
            prog=NAME,
            description="Teach a small language model to reason about mathematics, round by round.",
            epilog=f"Further commands, each with its own --help: {', '.join(COMMANDS)}.",
        )
        import_module("fdd.commands.run").add(parser)
        return parser
    add = import_module(f"fdd.commands.{name}").add
    parser = Parser(prog=NAME)
    add(parser.add_subparsers().add_parser(name, help=add.__doc__, description=add.__doc__))
    return parser


def run() -> NoReturn:
    with standard_streams():
        sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
