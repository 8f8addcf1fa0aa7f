"""`main.py report DIR`: shows a run's accuracy and counts by round, and writes a page with everything."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fdd.commands.arguments import add_folder, add_json, print_json


def add(parser: ArgumentParser) -> None:
    """a run's accuracy and counts by round; writes DIR/report.html with pictures, but not with --json"""
    add_folder(parser)
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="write the pictures there as well, as SVG and PNG"
    )
    add_json(parser)
    parser.set_defaults(command=report)


def report(given: Namespace) -> int:
    from fdd.commands.console import show_result
    from fdd.reporting.report import write_report
    from fdd.reporting.results import precise
    from fdd.reporting.terminal import shown, terminal
    from fdd.storage.folder import open_store

    store = open_store(given.run_dir)
    summary = precise(store, store.summary())
    if given.json:
        print_json(summary)
        if not given.figures:
            return 0
    else:
        show_result(terminal(), given.run_dir, summary)
    page = write_report(given.run_dir, given.figures)
    console = terminal(stderr=given.json)
    console.print(shown(f"page      {page}"))
    if given.figures:
        console.print(shown(f"pictures  {given.figures}"))
    return 0
