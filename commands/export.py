"""`main.py export DIR`: writes the student and the data set that it was taught into a folder."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from fdd.commands.arguments import add_folder, add_json, print_json
from fdd.settings import cache_folder


def add(parser: ArgumentParser) -> None:
    """the student and the data set that taught it, for other programs"""
    add_folder(parser)
    parser.add_argument("--to", type=Path, metavar="OUT", help="a new folder (default: DIR/export)")
    parser.add_argument(
        "--round",
        type=int,
        metavar="N",
        help="the student of this round (default: the best on the dev set of those kept)",
    )
    parser.add_argument(
        "--push",
        metavar="ORG/NAME",
        help="also upload both to repositories of this name on the Hugging Face hub; new ones are private",
    )
    add_json(parser)
    parser.set_defaults(command=export)


def export(given: Namespace) -> int:
    from fdd.commands.console import RunView
    from fdd.reporting import export as exporting
    from fdd.reporting import push
    from fdd.reporting.terminal import shown, terminal

    if given.push is not None:
        push.check(given.push)
    console = terminal(stderr=given.json)
    with RunView(console) as view:
        done = exporting.export(
            given.run_dir,
            given.to or given.run_dir / "export",
            view,
            cache=cache_folder(),
            round=given.round,
        )
    student = "none: the run has kept no student, so only its data was exported"
    if done.student is not None:
        student = f"{done.folder / exporting.STUDENT}, of round {done.round}"
    data = f"{done.folder / exporting.DATA}, {done.lessons} rationales up to round {done.round}"
    if not given.json:
        console.print(shown(f"student   {student}"))
        console.print(shown(f"data      {data}"))
    addresses = []
    for address in push.push(done, given.push) if given.push is not None else ():
        addresses.append(address)
        console.print(shown(f"uploaded  {address}"))
    if given.json:
        print_json({**asdict(done), "uploaded": addresses})
    return 0
