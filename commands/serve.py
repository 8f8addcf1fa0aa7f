"""`main.py serve DIR`: serves a web page that shows a run, also while it is in progress."""

from __future__ import annotations

import signal
from argparse import ArgumentParser, Namespace

from fdd.commands.arguments import add_folder


def add(parser: ArgumentParser) -> None:
    """a web page on this machine that shows a run, also while it goes on"""
    add_folder(parser)
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="port of the page (default: 8765, or a free one; 0: any free one)",
    )
    parser.set_defaults(command=serve)


def serve(given: Namespace) -> int:
    from fdd.reporting.site import server
    from fdd.reporting.terminal import shown, terminal

    console = terminal()

    def ready(url: str) -> None:
        console.print(shown(f"{given.run_dir} is at {url} (Ctrl-C ends it)"))

    # Shells start background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server.serve(given.run_dir, given.port, ready)
    return 0
