"""Runs one parser under libFuzzer (atheris): `python -m tests.fuzz.target NAME FOLDER [libFuzzer's options]`.

Findings are written into the folder, and the search goes on. Only libFuzzer's limits on the time and the
memory of one text end the process early.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fdd.agents"]):
    from tests.fuzz.oracles import check_derivation, check_equation, check_system

SLOW_SECONDS = 2.0
"""A text that takes more processor time than this counts as a hang; texts have at most 1,500 bytes."""


def derivation(text: str) -> None:
    """Checks a text whose first line is the question and whose other lines are the solution."""
    question, _, solution = text.partition("\n")
    check_derivation(question, solution)


def equation(text: str) -> None:
    check_system(text)
    for line in text.splitlines():
        check_equation(line)


TARGETS: dict[str, Callable[[str], None]] = {"derivation": derivation, "equation": equation}


def trial(check: Callable[[str], None], folder: Path, data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    began = time.process_time()
    try:
        check(text)
    except AssertionError as error:
        note(folder, "wrong", text, error)
    except Exception as error:  # the one place that records what broke
        note(folder, "crash", text, error)
    if time.process_time() - began > SLOW_SECONDS:
        note(folder, "hang", text, None)


def note(folder: Path, kind: str, text: str, error: Exception | None) -> None:
    """Writes a finding to a file, once for each place in the code: the last two stack frames."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    place = "\n".join(f"{frame.name} {frame.line}" for frame in frames[-2:]) or text
    name = f"{kind}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    if not (folder / name).exists():
        told = "".join(traceback.format_exception(error)) if error else ""
        (folder / name).write_text(f"{text}\n\n{told}", "utf-8")


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])

    def one(data: bytes) -> None:
        trial(TARGETS[name], folder, data)

    atheris.Setup([sys.argv[0], *sys.argv[3:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
