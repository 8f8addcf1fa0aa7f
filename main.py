"""Feedback-driven distillation from the command line: teach a student, resume, evaluate, report, verify.

Run `python main.py --rounds 2`, or `python main.py --help`. Heavy imports stay inside the commands that
need them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from errno import ENAMETOOLONG
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from errors import FddError, StoppedError, UsageError, one_line
from settings import LIMITS, POLICY, Settings, add_options, cache_folder, load_settings

if TYPE_CHECKING:
    from console import RunView
    from graph.state import RunState

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
ASKED_TO_STOP = "Stopping at the next safe point; press Ctrl-C again to stop at once."


class Parser(ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `python {self.prog} --help`")


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 done, 1 a failure on the way or a finding of `verify`, 2 wrong input, 130 interrupted."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the hub's client is imported
    try:
        given = build_parser(arguments).parse_args(arguments)
        command: Callable[[Namespace], int] = given.command
        return command(given)
    except (StoppedError, KeyboardInterrupt):
        return INTERRUPTED
    except FddError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise
        print(f"error: {one_line(str(error))}; give a shorter name", file=sys.stderr)
        return 2


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """The parser of the command that the arguments begin with; of a run, where they begin with none."""
    commands = {
        "resume": add_resume,
        "evaluate": add_evaluate,
        "report": add_report,
        "verify": add_verify,
        "doctor": add_doctor,
    }
    name = arguments[0] if arguments else ""
    if name not in commands:
        parser = Parser(
            prog="main.py",
            description="Teach a small language model to reason about mathematics, round by round.",
            epilog=f"Further commands, each with its own --help: {', '.join(commands)}.",
        )
        add_run(parser)
        return parser
    parser = Parser(prog="main.py")
    commands[name](parser.add_subparsers().add_parser(name, help=commands[name].__doc__))
    return parser


def add_run(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="a new folder (default: runs/ and the time)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be asked, and its cost; ask nobody"
    )
    add_options(parser)
    parser.set_defaults(command=run)


def run(given: Namespace) -> int:
    outside = ("run_dir", "config", "dry_run", "command")
    settings = load_settings({k: v for k, v in vars(given).items() if k not in outside}, given.config)
    if given.dry_run:
        return preview(settings)
    folder = given.run_dir or Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"
    from graph.run import start

    return watch(folder, partial(start, settings))


def preview(settings: Settings) -> int:
    from console import show_plan, terminal
    from graph import run as runs

    show_plan(terminal(), runs.preview(settings))
    return 0


def add_resume(parser: ArgumentParser) -> None:
    """go on with an interrupted run, with new limits where they are given"""
    add_folder(parser)
    add_options(parser, only=LIMITS)
    parser.set_defaults(command=resume)


def resume(given: Namespace) -> int:
    from graph import run as runs

    limits = {key: value for key, value in vars(given).items() if key in LIMITS}
    return watch(given.run_dir, partial(runs.resume, limits=limits))


def watch(folder: Path, work: Callable[..., RunState]) -> int:
    """Do a run's work while a person watches, who may press Ctrl-C."""
    from console import RunView, show_result, terminal
    from graph.run import open_store

    console = terminal()
    stopped = f"Stopped; nothing is lost. Go on with: python main.py resume {folder}"
    with RunView(console, folder) as view, stop_on_signals(view, stopped) as stop:
        try:
            work(folder, view, cache=cache_folder(), should_stop=stop.is_set)
        except StoppedError:
            view.noticed(stopped)
            raise
    show_result(console, folder, open_store(folder).summary())
    return 0


@contextmanager
def stop_on_signals(view: RunView, stopped: str) -> Iterator[threading.Event]:
    """An event that Ctrl-C or a termination signal sets; a second Ctrl-C ends the program at once.

    At once is as by `kill -9`, which every run survives: to unwind the program would wait for requests that
    are in flight. A termination signal never does that, since it may come twice (`timeout` sends it twice).
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        at_once = stop.is_set() and number == signal.SIGINT
        stop.set()
        with suppress(RuntimeError):  # the signal may have come in the middle of a print
            if at_once:
                view.close()
            view.noticed(stopped if at_once else ASKED_TO_STOP)
        if at_once:
            os._exit(INTERRUPTED)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def add_evaluate(parser: ArgumentParser) -> None:
    """accuracy of a student on a problem set"""
    parser.add_argument(
        "student", metavar="STUDENT", help="smollm2-135m, a folder such as DIR/student, or ORG/NAME"
    )
    parser.add_argument(
        "--problems", default="gsm-symbolic", metavar="SET", help="gsm-symbolic, gsm8k or a JSONL file"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="problems to ask (default: all of a file, 200 otherwise)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which fresh problems (default: 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument(
        "--max-new-tokens",
        type=int,
        metavar="N",
        help="longest answer (default: what the student was taught decides)",
    )
    add_options(parser, only=POLICY)
    add_json(parser)
    parser.set_defaults(command=evaluate)


def evaluate(given: Namespace) -> int:
    from console import RunView, show_evaluations, terminal
    from graph.score import score

    console = terminal(stderr=given.json)
    policy = {key: value for key, value in vars(given).items() if key in POLICY}
    asked = load_settings({"rounds": 1, **policy})
    with RunView(console) as view, stop_on_signals(view, "Stopped.") as stop:
        scores = score(
            given.student,
            given.problems,
            thoughts=asked.thoughts,
            policy=asked.policy,
            policy_samples=asked.policy_samples,
            policy_temperature=asked.policy_temperature,
            limit=given.limit,
            seed=given.seed,
            max_new_tokens=given.max_new_tokens,
            device=given.device,
            cache=cache_folder(),
            listener=view,
            should_stop=stop.is_set,
        )
    if given.json:
        print_json({"student": given.student, "evaluations": scores})
    else:
        show_evaluations(console, scores)
    return 0


def add_report(parser: ArgumentParser) -> None:
    """a run's accuracy and counts by round"""
    add_folder(parser)
    add_json(parser)
    parser.set_defaults(command=report)


def report(given: Namespace) -> int:
    from console import show_result, terminal
    from graph.run import open_store

    summary = open_store(given.run_dir).summary()
    if given.json:
        print_json(summary)
    else:
        show_result(terminal(), given.run_dir, summary)
    return 0


def add_verify(parser: ArgumentParser) -> None:
    """check that nothing in a run's database was lost or changed"""
    add_folder(parser)
    add_json(parser)
    parser.set_defaults(command=verify)


def verify(given: Namespace) -> int:
    from graph.run import open_store

    findings = open_store(given.run_dir).verify()
    if given.json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(one_line(str(finding)))
        print(f"{len(findings)} findings")
    return 1 if findings else 0


def add_doctor(parser: ArgumentParser) -> None:
    """what this machine has for a run, and what is missing"""
    add_json(parser)
    parser.set_defaults(command=doctor)


def doctor(given: Namespace) -> int:
    from console import show_checks, terminal
    from graph.doctor import examine

    checks = examine(cache_folder(), Path.cwd())
    if given.json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        show_checks(terminal(), checks)
    return 0 if all(check.ok for check in checks) else 1


def add_folder(parser: ArgumentParser) -> None:
    parser.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2))


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name need not exist in the terminal's encoding
    sys.exit(main(sys.argv[1:]))
