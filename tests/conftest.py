"""Every test works offline, in strict mode, with a cache folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LANGSMITH_TRACING"] = "false"


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
