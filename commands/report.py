"""`main.py report DIR`: a run's accuracy and counts by round."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from commands.arguments import add_folder, add_json, print_json


def add(parser: ArgumentParser) -> None:
    """a run's accuracy and counts by round"""
    add_folder(parser)
    add_json(parser)
    parser.set_defaults(command=report)


def report(given: Namespace) -> int:
    from console import show_result
    from reporting.terminal import terminal
    from storage.folder import open_store

    summary = open_store(given.run_dir).summary()
    if given.json:
        print_json(summary)
    else:
        show_result(terminal(), given.run_dir, summary)
    return 0
