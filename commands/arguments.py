"""Arguments and output that several commands share."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Collection, Iterator
from pathlib import Path

from fdd.domain import PHASES
from fdd.settings import OPTIONS, Settings, load_settings


def add_folder(parser: ArgumentParser) -> None:
    parser.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")


def add_until(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--until",
        choices=tuple(PHASES),
        metavar="PHASE",
        help=f"stop when this phase has ended, to go on with `resume`: {', '.join(PHASES)}",
    )


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, default=str))  # exact fractions and times are texts


def options_of(settings: Settings, only: Collection[str] | None = None) -> Iterator[str]:
    """Yields the options that give these settings, or those of these keys, without those at their default.

    Defaults are those of the recipe and of the student, if these are among the keys.
    """
    named = {name: getattr(settings, name) for name in ("recipe", "student") if only is None or name in only}
    defaults = load_settings({"rounds": 1, **named}, environment={})
    for option in OPTIONS:
        value = option.of(settings)
        is_default = value == option.of(defaults) and option.key not in ("rounds", *named)
        if (only is None or option.key in only) and not is_default and value is not None:
            switch = option.flag if value else f"--no-{option.flag.removeprefix('--')}"
            yield from (option.flag, str(value)) if option.metavar else (switch,)
