"""`main.py --rounds N`: starts a new run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from functools import partial
from pathlib import Path

from fdd.commands.arguments import add_until
from fdd.commands.watching import watch
from fdd.settings import Settings, add_options, cache_folder, load_settings


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="a new folder (default: runs/ and the time)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be asked, and its cost, without asking"
    )
    add_until(parser)
    add_options(parser)
    parser.set_defaults(command=run)


def run(given: Namespace) -> int:
    outside = ("run_dir", "config", "dry_run", "until", "command")
    settings = load_settings({k: v for k, v in vars(given).items() if k not in outside}, given.config)
    if given.dry_run:
        return preview(settings)
    folder = given.run_dir or Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"
    # Imported here, so that `--help` and wrong options do not wait for it.
    from fdd.graph.run import start

    return watch(folder, partial(start, settings, until=given.until))


def preview(settings: Settings) -> int:
    from fdd.commands.console import show_plan
    from fdd.graph import run as runs
    from fdd.reporting.terminal import terminal

    show_plan(terminal(), runs.preview(settings, cache=cache_folder()))
    return 0
