"""What feedback adds: a run's student beside one that was taught as much, chosen by no feedback.

    python benchmarks/control.py RUN CONTROL [--seeds more|same]
    python main.py compare CONTROL RUN

CONTROL becomes a run of its own, with the settings of RUN and one training. In place of children it is
taught further seeds, drawn and explained as those of RUN were, until it has as many problems as the student
that RUN delivers, in as many steps. With `--seeds same` it is taught nothing but the seeds of RUN, in as many
passes as make at least as many steps. The evaluation sets of `gsm-symbolic` do not depend on how many seeds
there are, so that `compare` pairs the answers to them.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import deque
from dataclasses import replace
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from console import RunView
from graph.nodes.report import delivered
from graph.run import create, opened
from reporting.terminal import terminal
from settings import Settings, cache_folder
from storage.folder import open_store
from storage.records import ProblemRecord
from storage.store import Store

SPARE = 1.4
"""Seeds for each problem to be taught: some cannot be explained."""
SHARE = 0.99
"""Of the seeds that the first training takes; a run must hold some back."""


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("control", type=Path, metavar="CONTROL")
    parser.add_argument("--seeds", choices=("more", "same"), default="more")
    given = parser.parse_args()
    store = open_store(given.run)
    made = delivered(store)
    assert made is not None, f"{given.run} has delivered no student"
    problems = taught(store, made.round)
    settings = Settings.from_json(store.run().settings)
    settings = replace(settings, rounds=1, initial_share=SHARE)
    if given.seeds == "more":
        limit = round(SPARE * len(problems))
        settings = replace(settings, problems=replace(settings.problems, limit=limit))
    else:
        seeds = sum(problem.parent is None for problem in problems)
        epochs = ceil(settings.fine_tune.epochs * len(problems) / seeds)
        settings = replace(settings, fine_tune=replace(settings.fine_tune, epochs=epochs))
    create(settings, given.control, cache=cache_folder())
    with (
        RunView(terminal(), given.control) as view,
        opened(given.control, view, cache=cache_folder()) as run,
    ):
        deque(run.stream(interrupt_after=["teach"]), maxlen=0)
        found = [problem.id for problem in taught(run.store, 0)]
        if given.seeds == "more":
            assert len(found) >= len(problems), f"{len(found)} problems can be taught of {len(problems)}"
            run.reject(dict.fromkeys(found[len(problems) :], "more than the run was taught"))
        deque(run.stream(interrupt_after=["evaluate"]), maxlen=0)


def taught(store: Store, round: int) -> list[ProblemRecord]:
    """What a round's student was taught, each problem once."""
    return list({lesson.problem.id: lesson.problem for lesson in store.training_set(round=round)}.values())


if __name__ == "__main__":
    main()
