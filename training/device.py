"""Chooses what the student runs on and in which number format, and says so in words."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from errors import StudentError
from training.config import Device
from training.tasks import DeviceReport

WITHOUT_BFLOAT16 = frozenset(("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"))
"""Limits that `ONEDNN_MAX_CPU_ISA` may set below the instructions for bfloat16."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the student runs."""

    device: torch.device
    dtype: torch.dtype
    """Of weights and activations; bfloat16 where the CPU or the CUDA GPU multiplies it in hardware."""


def choose_runtime(device: Device) -> Runtime:
    """The device asked for, or the best there is for `auto`; on the CPU it sets the threads too."""
    kind = best_kind() if device == "auto" else device
    if kind == "cuda" and (fault := cuda_fault()):
        raise StudentError(f"device 'cuda' is not there: {fault}; give --device cpu or auto")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise StudentError("device 'mps' is not there: torch sees no Apple GPU; give --device cpu or auto")
    if kind == "cpu":
        torch.set_num_threads(usable_cores())
    fast = (kind == "cuda" and cuda_has_bfloat16()) or (kind == "cpu" and cpu_has_bfloat16())
    return Runtime(torch.device(kind), torch.bfloat16 if fast else torch.float32)


def best_kind() -> str:
    if not cuda_fault():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def cuda_fault() -> str:
    """Why torch can use no CUDA GPU; empty where it can."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built without CUDA, so install a build with it"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def has_nvidia_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi") is not None


def cuda_has_bfloat16() -> bool:
    """Whether it does so in hardware: GPUs before compute capability 8.0 emulate it."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def cpu_has_bfloat16() -> bool:
    """Whether bfloat16 matrix products run in hardware: four times as fast as float32 where they do.

    oneDNN, which computes them, may have been told to leave the newer instructions alone.
    """
    capabilities = torch.cpu.get_capabilities()
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper() not in WITHOUT_BFLOAT16
    return allowed and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(runtime: Runtime, asked: Device) -> DeviceReport:
    """What `choose_runtime` chose where so much was asked for."""
    if runtime.device.type == "cuda":
        properties = torch.cuda.get_device_properties(runtime.device)
        name, cores, memory = properties.name, properties.multi_processor_count, properties.total_memory
    else:
        name, cores = cpu_name(), usable_cores()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return DeviceReport(
        kind=runtime.device.type,
        name=name,
        cores=cores,
        memory_gb=memory / 2**30,
        dtype=str(runtime.dtype).removeprefix("torch."),
        unused=cuda_fault() if asked == "auto" and has_nvidia_gpu() else "",
    )


def cpu_name() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())
