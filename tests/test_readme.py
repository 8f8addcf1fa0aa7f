"""What README and `docs/` say is true: commands and links exist, the program runs."""

import json
import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from fdd.main import COMMANDS
from fdd.storage.folder import open_store
from tests.problems.made_up import made_up

ROOT = Path(__file__).parent.parent
USAGE = (ROOT / "docs" / "USAGE.md").read_text()
GUIDES = {
    "README": (ROOT / "README.md").read_text(),
    "USAGE": USAGE,
    "HOW-IT-WORKS": (ROOT / "docs" / "HOW-IT-WORKS.md").read_text(),
    "DECISIONS": (ROOT / "docs" / "DECISIONS.md").read_text(),
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def options(name: str) -> set[str]:
    parser = ArgumentParser()
    import_module(f"commands.{name}").add(parser)
    return set(re.findall(r"--[a-z][a-z-]+", parser.format_help()))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("guide", GUIDES)
def test_every_option_that_a_guide_names_exists(guide: str) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDES[guide]))
    known = set[str]().union(*(options(name) for name in ("run", *COMMANDS)))
    assert named <= {*known, "--allow-blocking"}  # of `langgraph dev`


@pytest.mark.parametrize("guide", ["README", "USAGE"])
def test_readme_and_usage_name_every_command(guide: str) -> None:
    assert [name for name in COMMANDS if f"python main.py {name} " not in GUIDES[guide]] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_the_commands_of_a_guide_are_in_the_makefile(guide: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", GUIDES[guide])) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme() -> None:
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in GUIDES["README"]] == []


def test_every_folder_that_the_readme_lists_exists() -> None:
    folders = re.findall(r"^\| `([a-z]+)/` \|", GUIDES["README"], re.MULTILINE)
    assert folders
    assert all((ROOT / name).is_dir() for name in folders)


def test_the_teacher_of_the_usage_page_teaches_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, program = re.findall(r"```python\n(.*?)```", USAGE, re.DOTALL)
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
