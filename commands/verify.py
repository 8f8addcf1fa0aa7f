"""`main.py verify DIR`: checks that nothing in a run's database was lost or changed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from fdd.commands.arguments import add_folder, add_json, print_json
from fdd.errors import one_line


def add(parser: ArgumentParser) -> None:
    """check that nothing in a run's database was lost or changed"""
    add_folder(parser)
    add_json(parser)
    parser.set_defaults(command=verify)


def verify(given: Namespace) -> int:
    from fdd.storage.folder import open_store

    findings = open_store(given.run_dir).verify()
    if given.json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(one_line(str(finding)))
        print(f"{len(findings)} findings")
    return 1 if findings else 0
