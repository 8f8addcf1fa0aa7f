"""The house has one way through it: imports point from main to graph to the rooms, never between rooms."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ("amounts", "domain", "errors", "flags", "matching", "network", "streams")
ROOMS = ("agents", "training", "storage", "problems")
ALLOWED = {
    **dict.fromkeys(SHARED, SHARED),
    **dict.fromkeys(ROOMS, SHARED),
    "engines": (*SHARED, "training"),
    "settings": (*SHARED, *ROOMS, "engines"),
    "rundir": (*SHARED, *ROOMS, "settings"),
    "graph": (*SHARED, *ROOMS, "engines", "settings", "rundir"),
    "reporting": (*SHARED, *ROOMS, "settings", "rundir"),
    "commands": (*SHARED, *ROOMS, "engines", "settings", "rundir", "graph", "reporting"),
    "main": (*SHARED, "commands"),
}
"""What each part of the product may import beside itself. Graph and reporting are siblings."""


def sources(name: str) -> list[Path]:
    """Returns the files of a part: a folder at the top level, a module in `fdd/`, or `main.py`."""
    if (ROOT / name).is_dir():
        return sorted((ROOT / name).rglob("*.py"))
    return [ROOT / "main.py" if name == "main" else ROOT / "fdd" / f"{name}.py"]


def imported(file: Path) -> Iterator[str]:
    """Yields the full names of all modules that a file imports, and of what it takes from them."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_with(found: Callable[[ast.AST], bool]) -> set[str]:
    """Returns the product files that contain a node for which `found` is true."""
    return {
        str(file.relative_to(ROOT))
        for name in ALLOWED
        for file in sources(name)
        if any(map(found, ast.walk(ast.parse(file.read_text()))))
    }


def parts(modules: Iterable[str]) -> set[str]:
    """Returns the parts of the product that these modules belong to: `graph` for `fdd.graph.run`."""
    return {module.split(".")[1] for module in modules if module.startswith("fdd.")}


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_imports_point_one_way(name: str) -> None:
    ours = {
        (str(file.relative_to(ROOT)), part)
        for file in sources(name)
        for part in parts(imported(file))
        if part in ALLOWED and part != name
    }
    assert {pair for pair in ours if pair[1] not in ALLOWED[name]} == set()


def module_of(file: Path) -> str:
    path = file.relative_to(ROOT).with_suffix("")
    parts = path.parts if path.parts[0] == "fdd" else ("fdd", *path.parts)
    return ".".join(parts).removesuffix(".__init__")


def test_no_files_import_each_other_in_a_circle() -> None:
    """Local imports count too. Those for the type checker alone do not."""
    files = {module_of(file): file for name in ALLOWED for file in sources(name)}
    before = {module: set(imported(file)) & files.keys() - {module} for module, file in files.items()}
    try:
        list(TopologicalSorter(before).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("package", "room"),
    [
        ("duckdb", "storage"),
        ("torch", "training"),
        ("transformers", "training"),
        ("langgraph", "graph"),
        ("matplotlib", "reporting"),
        ("opentelemetry", "rundir"),
        ("ray", "engines"),
        ("vllm", "training"),
    ],
)
def test_each_big_library_has_its_room(package: str, room: str) -> None:
    users = {
        name
        for name in ALLOWED
        for file in sources(name)
        if package in {each.split(".")[0] for each in imported(file)}
    }
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
    assert {name for name in printing if not name.startswith("commands/")} <= {"main.py"}


WALL_CLOCK = {
    *("agents/models/client.py", "fdd/domain.py"),
    *("storage/database.py", "storage/records.py", "storage/store.py"),
    "agents/models/provider_errors.py",
    "commands/run.py",
}
"""They note when something happened, read a date that a server gave, or name a folder."""


def test_the_clock_that_can_jump_is_looked_at_in_few_places() -> None:
    """Time-outs, limits and order depend on clocks that only go forward."""
    clocks = ("datetime.now", "time.time", "time.time_ns", "datetime.utcnow")
    looking = files_with(lambda node: isinstance(node, ast.Attribute) and ast.unparse(node) in clocks)
    assert looking == WALL_CLOCK


ENVIRONMENT = {
    *("engines/engine.py", "engines/ray_engine.py"),
    "fdd/settings.py",
    *("main.py", "training/worker.py", "training/preload.py"),
    *("fdd/network.py", "training/device.py"),
}
"""settings.py reads it. The engines, and the next three, set variables that libraries read. network.py and
training/device.py check variables that the hub's client and oneDNN read by themselves."""


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
