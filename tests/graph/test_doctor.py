"""What `doctor` and a run say of workers that are not confined."""

from dataclasses import replace
from pathlib import Path

import pytest

from fdd.agents.checking import confinement
from fdd.agents.verifier import UNCONFINED
from fdd.commands.doctor import examine
from fdd.graph.run import start
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process becomes a confined one."""
    monkeypatch.setattr(confinement, "__file__", "/nowhere")


@pytest.mark.usefixtures("unconfined")
def test_doctor_calls_no_layer_active_that_workers_do_not_have(tmp_path: Path) -> None:
    (check,) = [each for each in examine(tmp_path, tmp_path) if each.name == "confinement"]
    assert not check.ok
    assert "but can write files" in check.detail
    assert "not active limits, network namespace, landlock, seccomp" in check.detail
    assert check.detail.endswith("not confined the interpreter's workers")


@pytest.mark.usefixtures("unconfined")
def test_a_run_says_that_its_workers_are_not_confined(tmp_path: Path, cache: Path) -> None:
    recorder = Recorder()
    start(replace(tiny_settings(), rounds=0), tmp_path / "run", recorder, cache=cache)
    assert UNCONFINED in recorder.notices
