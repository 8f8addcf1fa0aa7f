"""What the README says is true: its commands exist, its program runs."""

import json
import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from main import COMMANDS
from storage.folder import open_store
from tests.problems.made_up import made_up

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def options(name: str) -> set[str]:
    parser = ArgumentParser()
    import_module(f"commands.{name}").add(parser)
    return set(re.findall(r"--[a-z][a-z-]+", parser.format_help()))


def test_every_option_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    known = set[str]().union(*(options(name) for name in ("run", *COMMANDS)))
    assert named <= {*known, "--allow-blocking"}  # of `langgraph dev`


def test_the_readme_names_every_command() -> None:
    assert {name for name in COMMANDS if f"python main.py {name} " not in README} - {"doctor"} == set()
    assert "python main.py doctor" in README


def test_the_commands_of_the_readme_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets


def test_every_file_and_folder_that_the_readme_links_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    folders = re.findall(r"^\| `([a-z]+)/` \|", README, re.MULTILINE)
    assert links
    assert folders
    assert all((ROOT / name).exists() for name in [*links, *folders])


def test_the_teacher_of_the_readme_teaches_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    rows = (
        {"question": f"{made_up(n)}, {n} for ${n + 1} each?", "answer": f"#### {n * (n + 1)}"}
        for n in range(2, 42)
    )
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "mine.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    exec(query.replace("DIR", "runs/mine"), {})
    store = open_store(tmp_path / "runs" / "mine")
    assert {rationale.agent for rationale in store.rationales()} == {"mine"}
    assert {str(rationale.reason) for rationale in store.rationales()} == {"accepted"}
