"""Every test works offline, in strict mode, with a cache folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import cache_folder
from training.weights import student_path

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LANGSMITH_TRACING"] = "false"
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]


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
    """The real student of a default run, in the user's own cache folder, where the installation put it."""
    ordinary = {name: value for name, value in os.environ.items() if name != "FDD_CACHE"}
    return student_path("smollm2-135m", cache_folder(ordinary))
