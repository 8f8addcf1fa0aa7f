"""`main.py control DIR`: runs a run again with another policy, and compares both."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path

from fdd.commands.arguments import add_folder
from fdd.commands.watching import watch
from fdd.rundir.control import KINDS, control_of
from fdd.settings import CHANGEABLE, add_options


def add(parser: ArgumentParser) -> None:
    """the same run with another policy, without a part of its feedback; then both are compared"""
    kinds = "\n".join(f"  {kind:<10}{control.what}" for kind, control in KINDS.items())
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = f"kinds of control:\n{kinds}"
    add_folder(parser)
    parser.add_argument("--kind", choices=KINDS, default="seeds", help="see below (default: seeds)")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="a new folder (default: DIR-KIND)")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be asked, and its cost, without asking"
    )
    add_options(parser, only=CHANGEABLE)
    parser.set_defaults(command=control)


def control(given: Namespace) -> int:
    from fdd.commands import run
    from fdd.graph.run import start
    from fdd.reporting import comparison
    from fdd.reporting.terminal import terminal

    changes = {key: value for key, value in vars(given).items() if key in CHANGEABLE}
    settings = control_of(given.run_dir, given.kind).with_changes(changes)
    if given.dry_run:
        return run.preview(settings)
    beside = given.run_dir.resolve()  # a path such as `.` has no name
    folder = given.to or beside.with_name(f"{beside.name}-{given.kind}")
    code = watch(folder, partial(start, settings))
    found = comparison.compare(folder, given.run_dir)
    terminal().print(comparison.as_text(found, chosen=True), markup=False, end="")
    return code
