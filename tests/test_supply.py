"""What comes from outside is known by its hash, and a run with the embedded defaults talks to nobody."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fdd.errors import StudentError
from fdd.training.device import choose_runtime
from fdd.training.fetch import student_path
from fdd.training.student import load_student
from fdd.training.weights import check_student

ROOT = Path(__file__).parent.parent
WATCH = """
import os, sys

def note(event, arguments):
    if event == "socket.connect" and not isinstance(arguments[1], (str, bytes)):
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"{arguments[1]}\\n")

sys.addaudithook(note)
"""
"""Python runs it as `sitecustomize` in every process; addresses that are no path are of the network."""
CONNECT = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"


@pytest.mark.parametrize("lock", sorted(ROOT.glob("*.lock")), ids=lambda lock: lock.name)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    text = lock.read_text().replace("\\\n", "")
    pins = [line for line in text.splitlines() if line and not line.startswith("-r ")]
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"\S+==\S+(\s+--hash=sha256:[0-9a-f]{64})+", pin)] == []


def connections(folder: Path, *command: str) -> list[str]:
    """The network addresses that a Python command and its children connect to."""
    (folder / "sitecustomize.py").write_text(WATCH)
    log = folder / "connections"
    log.write_text("")
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "CONNECTIONS": str(log)}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, capture_output=True)
    return log.read_text().splitlines()


def test_a_run_with_the_embedded_agents_connects_to_nobody(tmp_path: Path) -> None:
    assert connections(tmp_path, "-c", CONNECT) == ["('127.0.0.1', 9)"]
    sizes = ["--limit", "8", "--test-size", "4", "--held-out-size", "2", "--dev-size", "2"]
    run = ["--rounds", "1", "--student", "tiny", "--run-dir", str(tmp_path / "run"), *sizes]
    assert connections(tmp_path, "main.py", *run) == []


def test_without_a_collector_nothing_that_sends_spans_is_imported() -> None:
    script = (
        "import sys, threading; from fdd.rundir.telemetry import telemetry\n"
        "with telemetry(None, '', None, None): assert threading.active_count() == 1\n"
        "sys.exit(any(name.startswith('opentelemetry') or name == 'fdd.rundir.otlp' for name in sys.modules))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment).returncode == 0


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.file,)


def test_pickled_weights_are_never_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    folder.mkdir()
    for file in student_path("tiny", tmp_path / "cache").iterdir():
        if file.suffix == ".json":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(StudentError, match=r"needs config\.json and \*\.safetensors"):
        check_student(folder)
    with pytest.raises(StudentError):
        load_student(folder, choose_runtime("cpu"))
    assert not (tmp_path / "sprung").exists()


def test_code_that_comes_with_a_student_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    folder.mkdir()
    for file in student_path("tiny", tmp_path / "cache").iterdir():
        if file.name != "weights.sha256":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "code.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    config = (folder / "config.json").read_text()
    mapped = (
        '"auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}, "model_type": "own"'
    )
    (folder / "config.json").write_text(config.replace('"model_type": "llama"', mapped))
    with pytest.raises(StudentError):
        load_student(folder, choose_runtime("cpu"))
    assert not (tmp_path / "sprung").exists()
