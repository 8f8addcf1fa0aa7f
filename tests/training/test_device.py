from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fdd.errors import StudentError
from fdd.training.device import choose_runtime, describe
from fdd.training.tasks import DescribeTask


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(StudentError, match=f"device '{device}' is not there"):
        choose_runtime("cuda" if device == "cuda" else "mps")


@pytest.mark.parametrize(("generation", "dtype"), [(7, torch.float32), (8, torch.bfloat16)])
def test_auto_takes_the_best_device_in_the_format_that_it_multiplies(
    generation: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of NVIDIA's GPUs, those before the eighth generation only emulate bfloat16."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    properties = SimpleNamespace(major=generation)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    chosen = choose_runtime("auto")
    assert chosen.device.type == "cuda"
    assert chosen.dtype == dtype


@pytest.mark.parametrize(("flag", "dtype"), [("avx512_bf16", torch.bfloat16), ("avx2", torch.float32)])
def test_bfloat16_is_taken_only_where_the_processor_multiplies_it(
    flag: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True})
    assert choose_runtime("cpu").dtype == dtype


def test_the_device_is_described_in_one_line() -> None:
    text = str(describe(DescribeTask(device="cpu"), None))
    assert text.startswith("cpu (")
    assert "cores" in text
    assert "GB" in text


TOO_OLD = "The NVIDIA driver on your system is too old (found version 11040).\nPlease update your GPU driver."


@pytest.mark.parametrize(
    ("cuda", "reason"),
    [
        (None, f"torch {torch.__version__} is built without CUDA, so install a build with it"),
        ("13.0", " ".join(TOO_OLD.split())),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_named_with_the_reason_unless_the_cpu_was_asked_for(
    cuda: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise RuntimeError(TOO_OLD)

    tool = tmp_path / "nvidia-smi"
    tool.touch()
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    found = str(describe(DescribeTask(device="auto"), None))
    assert found.startswith("cpu (")
    assert found.endswith(f", for the NVIDIA GPU here cannot be used: {reason}")
    assert "NVIDIA" not in str(describe(DescribeTask(device="cpu"), None))
    with pytest.raises(StudentError, match="device 'cuda' is not there: ") as caught:
        choose_runtime("cuda")
    assert reason in str(caught.value)
