"""`main.py doctor`: checks what this machine has for a run, and what is missing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from fdd.commands.arguments import add_json, print_json
from fdd.settings import cache_folder


def add(parser: ArgumentParser) -> None:
    """what this machine has for a run, and what is missing"""
    add_json(parser)
    parser.set_defaults(command=doctor)


def doctor(given: Namespace) -> int:
    from fdd.commands.console import show_checks
    from fdd.commands.machine import examine
    from fdd.reporting.terminal import terminal

    checks = examine(cache_folder(), Path.cwd())
    if given.json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        show_checks(terminal(), checks)
    return 0 if all(check.ok for check in checks) else 1
