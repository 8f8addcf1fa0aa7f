"""`main.py control DIR`: trains a student on as much as that of a run, but without the run's feedback."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fdd.commands.arguments import add_folder
from fdd.commands.watching import watch
from fdd.settings import CHANGEABLE, add_options

if TYPE_CHECKING:
    from fdd.rundir.control import Kind


KINDS: dict[Kind, str] = {
    "seeds": "as many problems in as many steps, all of them seeds",
    "repeat": "the same seeds alone, over and over, in as many steps",
    "shuffled": "the same loop, but chance decides whose child is harder and whose similar",
}


def add(parser: ArgumentParser) -> None:
    """a run that teaches as much as this one and leaves its feedback out; then both are compared"""
    kinds = "\n".join(f"  {kind:<10}{what}" for kind, what in KINDS.items())
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = f"kinds of control:\n{kinds}"
    add_folder(parser)
    parser.add_argument("--kind", choices=KINDS, default="seeds", help="see below (default: seeds)")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="a new folder (default: DIR-KIND)")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be asked, and its cost; ask nobody"
    )
    add_options(parser, only=CHANGEABLE)
    parser.set_defaults(command=control)


def control(given: Namespace) -> int:
    from fdd.commands import run
    from fdd.graph.run import start
    from fdd.reporting import comparison
    from fdd.reporting.terminal import terminal
    from fdd.rundir.control import control_of

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
