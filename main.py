"""Feedback-driven distillation from the command line: teach a student, look at what happened, take it out.

Run `python main.py --rounds 2`, or `python main.py --help`. Each command is a file in `commands/`, imported
when it is named; heavy imports stay inside the functions that need them.
"""

from __future__ import annotations

import os
import select
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from errno import ENAMETOOLONG
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

from errors import INTERRUPTED, UNREAD, FddError, StoppedError, UsageError, one_line

STANDARD_OUTPUT = 1
COMMANDS = (
    "resume",
    "evaluate",
    "report",
    "compare",
    "control",
    "trace",
    "why",
    "serve",
    "export",
    "verify",
    "doctor",
)


class Parser(ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `python {self.prog} --help`")


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 done, 1 a failure on the way or a finding of `verify`, 2 wrong input, 130 interrupted,
    141 nobody read on.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the hub's client is imported
    try:
        given = build_parser(arguments).parse_args(arguments)
        command: Callable[[Namespace], int] = given.command
        code = command(given)
        sys.stdout.flush()
        return code
    except (StoppedError, KeyboardInterrupt):
        return INTERRUPTED
    except FddError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        if not output_is_unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)  # Python flushes what is left at exit
        return UNREAD
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise
        print(f"error: {one_line(str(error))}; give a shorter name", file=sys.stderr)
        return 2


def output_is_unread() -> bool:
    """Whether standard output is a pipe that was closed at its other end, as `head` does it."""
    poll = select.poll()
    poll.register(STANDARD_OUTPUT, 0)
    return bool(poll.poll(0))


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """The parser of the command that the arguments begin with; of a run, where they begin with none."""
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        parser = Parser(
            prog="main.py",
            description="Teach a small language model to reason about mathematics, round by round.",
            epilog=f"Further commands, each with its own --help: {', '.join(COMMANDS)}.",
        )
        import_module("commands.run").add(parser)
        return parser
    add = import_module(f"commands.{name}").add
    parser = Parser(prog="main.py")
    add(parser.add_subparsers().add_parser(name, help=add.__doc__, description=add.__doc__))
    return parser


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name need not exist in the terminal's encoding
    sys.exit(main(sys.argv[1:]))
