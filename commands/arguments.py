"""What several commands take and give."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path


def add_folder(parser: ArgumentParser) -> None:
    parser.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
