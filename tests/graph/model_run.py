"""Starts or resumes a tiny run whose agents are a model behind a server, and kills it in one phase if told.

python -m tests.graph.model_run FOLDER CACHE URL [PHASE COUNT]
"""

from __future__ import annotations

import sys
from pathlib import Path

from graph.run import DATABASE, resume, start
from settings import Settings, load_settings
from tests.graph.killed_run import Assassin


def model_settings(url: str, **more: object) -> Settings:
    """One round of feedback whose 16 seeds are explained, varied and solved by the model at this URL."""
    given = {
        "rounds": 1,
        "student": "tiny",
        "teacher": "openai:teaching",
        "teacher_url": url,
        "problems.limit": 16,
        "problems.test_size": 2,
        "problems.held_out_size": 2,
        "problems.dev_size": 2,
        "generate.max_new_tokens": 8,
        "calls.seconds": 2,
        "device": "cpu",
    }
    return load_settings({**given, **more}, environment={})


def main() -> None:
    folder, cache, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    phase, count = (sys.argv[4], int(sys.argv[5])) if len(sys.argv) > 4 else ("", 0)
    listener = Assassin(phase, count)
    if (folder / DATABASE).exists():
        resume(folder, listener, cache=cache)
    else:
        start(model_settings(url), folder, listener, cache=cache)


if __name__ == "__main__":
    main()
