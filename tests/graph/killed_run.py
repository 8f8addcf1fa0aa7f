"""Starts or resumes a tiny run and kills its own process, as `kill -9` does, at one event of one phase.

python -m tests.graph.killed_run FOLDER CACHE PHASE COUNT
"""

import os
import signal
import sys
from pathlib import Path

from graph.run import DATABASE, resume, start
from graph.state import Progress
from settings import Settings, load_settings


class Assassin:
    """A listener that ends the process at the given event of the given phase."""

    def __init__(self, phase: str, count: int) -> None:
        self.phase = phase
        self.left = count

    def advanced(self, progress: Progress) -> None:
        if progress.phase == self.phase:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def noticed(self, text: str) -> None:
        print(text)

    def evaluated(self, round: int) -> None:
        print("evaluated", round)


def tiny_settings() -> Settings:
    """A run that takes seconds and still passes through every phase."""
    given = {
        "rounds": "1",
        "student": "tiny",
        "thoughts": "pot,cot",
        "policy": "fallback",
        "self_samples": "1",
        "self_samples_where": "everywhere",
        "problems.limit": "16",
        "problems.test_size": "6",
        "problems.held_out_size": "3",
        "problems.dev_size": "3",
        "fine_tune.epochs": "1",
        "generate.max_new_tokens": "12",
        "generate.batch_size": "4",
        "device": "cpu",
    }
    return load_settings(given, environment={})


def main() -> None:
    folder, cache, phase, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    listener = Assassin(phase, count)
    if (folder / DATABASE).exists():
        resume(folder, listener, cache=cache)
    else:
        start(tiny_settings(), folder, listener, cache=cache)


if __name__ == "__main__":
    main()
