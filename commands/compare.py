"""`main.py compare DIR DIR`: the differences between two runs, in settings, accuracy and answers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fdd.commands.arguments import add_json, print_json


def add(parser: ArgumentParser) -> None:
    """settings, accuracy and answers in which two runs differ"""
    parser.add_argument("first", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("second", type=Path, metavar="DIR", help="folder of the run to compare it with")
    parser.add_argument(
        "--round",
        type=int,
        metavar="N",
        help="students of this round of both, -1 for the untaught ones (default: those that are delivered)",
    )
    parser.add_argument(
        "--across-backends", action="store_true", help="also if different backends wrote the answers"
    )
    add_json(parser)
    parser.set_defaults(command=compare)


def compare(given: Namespace) -> int:
    from fdd.reporting import comparison
    from fdd.reporting.terminal import terminal

    found = comparison.compare(
        given.first, given.second, round=given.round, across_backends=given.across_backends
    )
    if given.json:
        print_json(found)
    else:
        terminal().print(comparison.as_text(found, chosen=given.round is None), markup=False, end="")
    return 0
