"""Students that a run cannot use, and trainings that give none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from fdd.commands.doctor import examine
from fdd.errors import RunFailedError, StudentError
from fdd.graph.run import create, resume, start
from fdd.main import main
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.training.fetch import student_path
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder

MISSING = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture
def partial(tmp_path: Path, cache: Path) -> Path:
    """A student that lacks a weight."""
    folder = shutil.copytree(student_path("tiny", cache), tmp_path / "partial")
    (folder / "weights.sha256").unlink()
    weights = load_file(folder / "model.safetensors")
    del weights[MISSING]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_no_run_begins_with_a_student_or_a_solver_that_lacks_weights(
    partial: Path, tmp_path: Path, cache: Path
) -> None:
    for settings in (
        replace(tiny_settings(), student=str(partial)),
        replace(tiny_settings(), solver=str(partial), thoughts=("decompose",)),
    ):
        recorder = Recorder()
        with pytest.raises(StudentError, match=MISSING):
            create(settings, tmp_path / "run", recorder, cache=cache)
        assert (recorder.phases, list(tmp_path.iterdir())) == ([], [partial])


def test_evaluate_refuses_a_student_that_lacks_weights_in_one_line(
    partial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(partial), "--limit", "2", "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert MISSING in printed.err.splitlines()[-1]


def test_doctor_loads_the_default_weights_and_names_the_models_that_are_here(
    partial: Path, tmp_path: Path
) -> None:
    partial.rename(tmp_path / "smollm2-135m")
    weights = tmp_path / "hub" / "models--Org--Model" / "snapshots" / "main" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    checks = {check.name: check for check in examine(tmp_path, tmp_path)}
    assert not checks["weights smollm2-135m"].ok
    assert MISSING in checks["weights smollm2-135m"].detail
    assert checks["models"].detail == (
        "here: smollm2-135m, Org/Model; fetched at their first use: qwen2.5-coder-0.5b, qwen2.5-coder-1.5b"
    )


def test_doctor_says_why_a_gpu_is_not_used(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.touch()
    tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "main.py", "doctor", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    device = next(each for each in json.loads(done.stdout)["checks"] if each["name"] == "device")
    assert not device["ok"]
    assert "for the NVIDIA GPU here cannot be used: torch" in device["detail"]


def test_a_student_with_too_few_positions_is_refused_before_anything_is_taught(
    tmp_path: Path, cache: Path
) -> None:
    folder = shutil.copytree(student_path("tiny", cache), tmp_path / "short")
    (folder / "weights.sha256").unlink()
    (folder / "model.safetensors").unlink()
    config = GPT2Config(vocab_size=257, n_positions=256, n_embd=32, n_layer=1, n_head=2)
    config.bos_token_id = config.eos_token_id = 256
    GPT2LMHeadModel(config).save_pretrained(folder)
    recorder = Recorder()
    with pytest.raises(StudentError, match="and the student has only 256 positions"):
        start(replace(tiny_settings(), student=str(folder)), tmp_path / "run", recorder, cache=cache)
    assert recorder.phases == ["seed"]
    assert not (tmp_path / "run").exists()


def diverging() -> Settings:
    settings = tiny_settings()
    return replace(settings, fine_tune=replace(settings.fine_tune, learning_rate=1e30, batch_size=4))


def test_a_run_whose_training_diverges_delivers_nothing_and_says_so_again_when_resumed(
    tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "run"
    told = "training diverged in step 2 of .* begin a new run with a lower --learning-rate"
    with pytest.raises(RunFailedError, match=told) as first:
        start(diverging(), folder, Recorder(), cache=cache)
    recorder = Recorder()
    with pytest.raises(RunFailedError, match=told) as again:
        resume(folder, recorder, cache=cache)
    assert str(again.value) == str(first.value)
    assert recorder.phases == ["fine_tune"]
    assert list(folder.glob("student*/**/*")) == []
    assert open_store(folder).rounds() == []
    assert open_store(folder).verify() == []
