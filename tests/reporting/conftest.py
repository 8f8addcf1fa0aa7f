"""Runs to look at, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.run import start
from tests.graph.settings import model_settings, tiny_settings
from tests.graph.test_run import Recorder
from tests.servers.teaching import teaching


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A finished run of embedded agents."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    start(tiny_settings(), folder, Recorder(), cache=cache)
    return folder


@pytest.fixture(scope="session")
def taught_by_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose agents asked a model, one that is wrong at times."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "cache").mkdir()
    with teaching(folder, "--gsm-symbolic", "0", "--wrong", "0.3") as server:
        start(model_settings(server.url), folder / "run", Recorder(), cache=folder / "cache")
    return folder / "run"
