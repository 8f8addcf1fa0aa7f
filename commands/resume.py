"""`main.py resume DIR`: continues an interrupted run, with other limits or URLs if they are given."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial

from fdd.commands.arguments import add_folder, add_until
from fdd.commands.watching import watch
from fdd.settings import CHANGEABLE, add_options


def add(parser: ArgumentParser) -> None:
    """go on with an interrupted run, with other limits or URLs where they are given"""
    add_folder(parser)
    add_until(parser)
    add_options(parser, only=CHANGEABLE)
    parser.set_defaults(command=resume)


def resume(given: Namespace) -> int:
    from fdd.graph import run as runs

    changes = {key: value for key, value in vars(given).items() if key in CHANGEABLE}
    return watch(given.run_dir, partial(runs.resume, changes=changes, until=given.until))
