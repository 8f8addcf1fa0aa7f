"""What feedback adds to more data: a run's student beside one taught as many problems that no feedback chose.

    python benchmarks/control.py RUN CONTROL
    python main.py compare CONTROL RUN

CONTROL becomes a run of its own, with the settings of RUN and one training. In place of children it is
taught further seeds, drawn and explained as those of RUN were, until it has as many problems as taught the
student that RUN delivers: the base is trained on equal numbers of problems with equal numbers of steps. The
evaluation sets of `gsm-symbolic` do not depend on how many seeds there are, so that `compare` pairs the
answers to them.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import deque
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from console import RunView
from graph.nodes.report import delivered
from graph.run import create, opened
from reporting.terminal import terminal
from settings import Settings, cache_folder
from storage.folder import open_store
from storage.store import Store

SPARE = 1.4
"""Seeds for each problem to be taught: some cannot be explained."""
SHARE = 0.99
"""Of the seeds that the first training takes; a run must hold some back."""


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("control", type=Path, metavar="CONTROL")
    given = parser.parse_args()
    store = open_store(given.run)
    made = delivered(store)
    assert made is not None, f"{given.run} has delivered no student"
    settings = Settings.from_json(store.run().settings)
    size = len(taught(store, made.round))
    seeds = replace(settings.problems, limit=round(SPARE * size))
    create(
        replace(settings, rounds=1, initial_share=SHARE, problems=seeds), given.control, cache=cache_folder()
    )
    with (
        RunView(terminal(), given.control) as view,
        opened(given.control, view, cache=cache_folder()) as run,
    ):
        deque(run.stream(interrupt_after=["teach"]), maxlen=0)
        found = taught(run.store, 0)
        assert len(found) >= size, f"{len(found)} problems can be taught, and {size} must be"
        run.reject(dict.fromkeys(found[size:], "more than the run was taught"))
        deque(run.stream(interrupt_after=["evaluate"]), maxlen=0)


def taught(store: Store, round: int) -> list[str]:
    """The problems that a round's student was taught, by id."""
    return list(dict.fromkeys(lesson.problem.id for lesson in store.training_set(round=round)))


if __name__ == "__main__":
    main()
