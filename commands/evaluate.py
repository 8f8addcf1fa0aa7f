"""`main.py evaluate STUDENT`: measures the accuracy of a student on a problem set."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fdd.commands.arguments import add_json, print_json
from fdd.commands.watching import stop_on_signals
from fdd.errors import UsageError
from fdd.settings import ANSWERING, add_options, cache_folder, load_settings


def add(parser: ArgumentParser) -> None:
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
    add_options(parser, only=ANSWERING)
    parser.add_argument(
        "--stronger",
        metavar="STUDENT",
        help="with --policy samples: a student that answers where no more than half of the samples agree",
    )
    add_json(parser)
    parser.set_defaults(command=evaluate)


def evaluate(given: Namespace) -> int:
    from fdd.commands.console import RunView, show_evaluations
    from fdd.graph.score import score
    from fdd.reporting.terminal import terminal

    console = terminal(stderr=given.json)  # stdout has nothing but JSON then
    # Read as settings of a run, so that values are checked in the same way; `rounds` is required but unused.
    asked = load_settings(
        {
            "rounds": 1,
            "seed": given.seed,
            "problems.limit": given.limit,
            "generate.max_new_tokens": given.max_new_tokens,
            **{key: value for key, value in vars(given).items() if key in ANSWERING},
        }
    )
    if given.stronger and asked.policy != "samples":
        raise UsageError(
            f"--stronger {given.stronger} answers where the student's answers differ: add --policy samples"
        )
    with RunView(console) as view, stop_on_signals(view, "Stopped.") as stop:
        scores = score(
            given.student,
            given.problems,
            thoughts=asked.thoughts,
            policy=asked.policy,
            policy_samples=asked.policy_samples,
            policy_temperature=asked.policy_temperature,
            stronger=given.stronger,
            limit=asked.problems.limit,
            seed=asked.seed,
            max_new_tokens=asked.generate.max_new_tokens,
            device=given.device,
            backend=asked.generate.backend,
            cache=cache_folder(),
            listener=view,
            should_stop=stop.is_set,
        )
    if given.json:
        print_json({"student": given.student, "evaluations": scores})
    else:
        show_evaluations(console, scores)
    return 0
