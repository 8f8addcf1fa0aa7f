"""Fixtures: a cache folder for tests only, and finished runs to read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from fdd.graph.run import start
from fdd.settings import cache_folder
from fdd.training.fetch import student_path
from tests.graph.settings import model_settings, tiny_settings
from tests.graph.test_run import Recorder
from tests.servers.teaching import teaching


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for students, shared by the tests of one session."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("FDD_CACHE")
    os.environ["FDD_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["FDD_CACHE"]
    else:
        os.environ["FDD_CACHE"] = before


@pytest.fixture(scope="session")
def embedded() -> Path:
    """The real student of a default run, from the user's cache folder, where the installation put it."""
    ordinary = {name: value for name, value in os.environ.items() if name != "FDD_CACHE"}
    return student_path("smollm2-135m", cache_folder(ordinary))


Make = Callable[[Path], None]
MakeOnce = Callable[[str, Make], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakeOnce:
    """Returns a function that fills a folder only once for all test processes and gives each its own copy."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent

    def once(name: str, make: Make) -> Path:
        made = shared / f"{name} for all"
        with FileLock(shared / f"{name}.lock"):
            if not made.exists():
                draft = tmp_path_factory.mktemp(name)
                make(draft)
                draft.rename(made)
        return shutil.copytree(made, tmp_path_factory.mktemp(name) / "copy", symlinks=True)

    return once


@pytest.fixture(scope="session")
def finished(make_once: MakeOnce, cache: Path) -> Path:
    """A finished run of the embedded agents."""

    def make(folder: Path) -> None:
        start(tiny_settings(), folder / "run", Recorder(), cache=cache)

    return make_once("finished", make) / "run"


@pytest.fixture(scope="session")
def taught_by_model(make_once: MakeOnce) -> Path:
    """A finished run whose agents asked a model that is sometimes wrong."""

    def make(folder: Path) -> None:
        (folder / "cache").mkdir()
        with teaching(folder, "--gsm-symbolic", "0", "--wrong", "0.3") as server:
            start(model_settings(server.url), folder / "run", Recorder(), cache=folder / "cache")

    return make_once("taught", make) / "run"
