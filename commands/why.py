"""`main.py why DIR PROBLEM`: shows the history of one problem, from its origin to the students' answers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from fdd.commands.arguments import add_folder, add_json, print_json
from fdd.storage.life import find_problem, select_life


def add(parser: ArgumentParser) -> None:
    """where a problem came from, the verdicts on its rationales, and the answers of students"""
    add_folder(parser)
    parser.add_argument("problem", metavar="PROBLEM", help="the problem's id, or its beginning")
    add_json(parser)
    parser.set_defaults(command=why)


def why(given: Namespace) -> int:
    from fdd.reporting.terminal import terminal
    from fdd.reporting.why import as_text
    from fdd.storage.folder import open_store

    store = open_store(given.run_dir)
    life = store.read(select_life, store.read(find_problem, given.problem))
    assert life is not None
    if given.json:
        print_json({**asdict(life), "transcripts": [asdict(each) for each in life.transcripts.values()]})
    else:
        terminal().print(as_text(life))
    return 0
