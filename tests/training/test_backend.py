"""What is said where vLLM is not installed; tests/vllm tests it where it is."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from fdd.main import main

pytestmark = pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")

MISSING = (
    "--backend vllm needs the package 'vllm': pip install 'feedback-driven-distillation[gpu]', or on a CPU"
)


def test_a_run_is_refused_before_anything_is_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    words = ["--rounds", "1", "--student", "tiny", "--backend", "vllm", "--run-dir", str(folder)]
    assert main(words) == 2
    assert MISSING in capsys.readouterr().err
    assert not folder.exists()


def test_an_evaluation_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "tiny", "--backend", "vllm", "--limit", "2"]) == 2
    assert MISSING in capsys.readouterr().err


def test_doctor_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert "torch; vllm is not installed" in " ".join(capsys.readouterr().out.split())
