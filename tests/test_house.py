"""The house has one way through it: imports point from main to graph to the rooms, never between rooms."""

import ast
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("agents", "training", "storage", "problems")
SHARED = ("amounts", "domain", "errors", "flags", "matching", "network")
ALLOWED = {
    **dict.fromkeys(SHARED, ()),
    "streams": ("errors",),
    "agents": SHARED,
    "problems": SHARED,
    "storage": SHARED,
    "training": SHARED,
    "settings": (*SHARED, "agents", "problems", "training"),
    "graph": (*SHARED, *ROOMS, "settings"),
    "reporting": (*SHARED, *ROOMS, "settings", "graph"),
    "console": (*SHARED, *ROOMS, "settings", "graph", "reporting", "streams"),
    "commands": (*SHARED, *ROOMS, "settings", "graph", "reporting", "console"),
    "main": (*SHARED, "commands", "streams"),
}


def sources(name: str) -> list[Path]:
    folder = ROOT / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{name}.py"]


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def files_with(found: Callable[[ast.AST], bool]) -> set[str]:
    """Returns the product files that contain a node for which `found` is true."""
    return {
        str(file.relative_to(ROOT))
        for name in ALLOWED
        for file in sources(name)
        if any(map(found, ast.walk(ast.parse(file.read_text()))))
    }


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_imports_point_one_way(name: str) -> None:
    ours = {
        (str(file.relative_to(ROOT)), module)
        for file in sources(name)
        for module in imported(file)
        if module in ALLOWED and module != name
    }
    assert {pair for pair in ours if pair[1] not in ALLOWED[name]} == set()


@pytest.mark.parametrize(
    ("package", "room"),
    [
        ("duckdb", "storage"),
        ("torch", "training"),
        ("transformers", "training"),
        ("langgraph", "graph"),
        ("matplotlib", "reporting"),
        ("opentelemetry", "graph"),
    ],
)
def test_each_big_library_has_its_room(package: str, room: str) -> None:
    users = {name for name in ALLOWED for file in sources(name) if package in imported(file)}
    assert users == {room}


def test_every_promise_names_a_test_that_exists() -> None:
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    known = {file.stem for file in tests} | {
        name for file in tests for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    promised = re.findall(r"test_\w+\*?", (ROOT / "docs" / "RELIABILITY.md").read_text())
    assert promised
    assert [each for each in promised if not any(fnmatchcase(name, each) for name in known)] == []


def test_only_commands_and_console_print() -> None:
    printing = files_with(
        lambda node: (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        )
    )
    assert {name for name in printing if not name.startswith("commands/")} <= {"main.py", "console.py"}


WALL_CLOCK = {
    *("agents/calling/caller.py", "domain.py"),
    *("storage/database.py", "storage/records.py", "storage/store.py"),
    "agents/model_errors.py",
    "commands/run.py",
}
"""They note when something happened, read a date that a server gave, or name a folder."""


def test_the_clock_that_can_jump_is_looked_at_in_few_places() -> None:
    """Time-outs, limits and order depend on clocks that only go forward."""
    clocks = ("datetime.now", "time.time", "time.time_ns", "datetime.utcnow")
    looking = files_with(lambda node: isinstance(node, ast.Attribute) and ast.unparse(node) in clocks)
    assert looking == WALL_CLOCK


ENVIRONMENT = {
    "settings.py",
    *("main.py", "training/child.py", "training/preload.py"),
    *("network.py", "training/device.py"),
    "agents/solver.py",
}
"""settings.py reads it. The next three set variables that libraries read when they are imported. network.py
and training/device.py check variables that the hub's client and oneDNN read by themselves. The solver passes
its process the few variables that Python needs to start."""


def test_the_environment_is_read_in_few_places() -> None:
    """Other code gets `settings.ENVIRONMENT` as an argument."""
    names = ("os.environ", "os.environb", "os.getenv")
    reading = files_with(
        lambda node: (
            (isinstance(node, ast.Attribute) and ast.unparse(node) in names)
            or (isinstance(node, ast.ImportFrom) and node.module == "os")
        )
    )
    assert reading == ENVIRONMENT


def test_no_file_of_tests_is_empty() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    assert [str(file) for file in files if "def test_" not in file.read_text()] == []


def test_paths_in_command_lines_are_quoted() -> None:
    """`command_line` does it; a path put into a text as it is breaks at its first blank."""
    pattern = re.compile(r"main\.py \w+ [^`\"]*\{")
    files = [path for name in ALLOWED for path in sources(name)] + [*(ROOT / "reporting").rglob("*.html")]
    assert [str(path) for path in files if pattern.search(path.read_text())] == []
