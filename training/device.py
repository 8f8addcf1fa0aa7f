"""Chooses the device and the number format that the student runs with, and describes them."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from fdd.errors import StudentError
from fdd.training.config import Device
from fdd.training.tasks import DescribeTask, DeviceReport

WITHOUT_BFLOAT16 = frozenset(("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"))
"""Values of `ONEDNN_MAX_CPU_ISA` that keep oneDNN from using the bfloat16 instructions."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The device and the number format that the student runs with."""

    device: torch.device
    dtype: torch.dtype
    """Of weights and activations: bfloat16 if the CPU or CUDA GPU multiplies it in hardware, else float32."""


def choose_runtime(device: Device) -> Runtime:
    """Returns the device asked for; for `auto` the best one there is: CUDA, MPS (Apple), or the CPU.

    For the CPU it also sets torch's number of threads. Raises `StudentError` if the device is not available.
    """
    kind: str = device
    if device == "auto":
        others = "mps" if torch.backends.mps.is_available() else "cpu"
        kind = others if cuda_fault() else "cuda"
    elif device == "cuda" and (fault := cuda_fault()):
        raise StudentError(f"device 'cuda' is not there: {fault}; give --device cpu or auto")
    elif device == "mps" and not torch.backends.mps.is_available():
        raise StudentError("device 'mps' is not there: torch sees no Apple GPU; give --device cpu or auto")
    if kind == "cpu":
        torch.set_num_threads(usable_cores())
        fast = cpu_has_bfloat16()
    else:  # GPUs before compute capability 8.0 only emulate bfloat16
        fast = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Runtime(torch.device(kind), torch.bfloat16 if fast else torch.float32)


def cuda_fault() -> str:
    """Returns why torch can use no CUDA GPU; empty if it can."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built without CUDA, so install a build with it"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def cpu_has_bfloat16() -> bool:
    """Whether bfloat16 matrix products run in hardware, where they are four times as fast as in float32.

    oneDNN computes them; `ONEDNN_MAX_CPU_ISA` may limit it to older instructions.
    """
    capabilities = torch.cpu.get_capabilities()
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper() not in WITHOUT_BFLOAT16
    return allowed and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def usable_cores() -> int:
    # macOS has no `sched_getaffinity`.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def perform(task: DescribeTask, _: object) -> DeviceReport:
    return describe(choose_runtime(task.device), task.device)


def describe(runtime: Runtime, asked: Device) -> DeviceReport:
    """Describes the runtime that `choose_runtime` returned for the device asked for."""
    if runtime.device.type == "cuda":
        properties = torch.cuda.get_device_properties(runtime.device)
        name, cores, memory = properties.name, properties.multi_processor_count, properties.total_memory
    else:
        name, cores = cpu_name(), usable_cores()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    has_nvidia_gpu = any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi") is not None
    return DeviceReport(
        kind=runtime.device.type,
        name=name,
        cores=cores,
        memory_gb=memory / 2**30,
        dtype=str(runtime.dtype).removeprefix("torch."),
        unused=cuda_fault() if asked == "auto" and has_nvidia_gpu else "",
    )


def cpu_name() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())
