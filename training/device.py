"""Chooses the device and the number format that a student runs with, and how much of it at once: as the
settings say, or on a CUDA GPU as its free memory allows.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fdd.errors import StudentError
from fdd.training.config import ROWS, Device
from fdd.training.tasks import DescribeTask, DeviceReport

WITHOUT_BFLOAT16 = frozenset(("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"))
"""Values of `ONEDNN_MAX_CPU_ISA` that keep oneDNN from using the bfloat16 instructions."""
USABLE = 0.6
"""Share of the free memory that batches are planned for. A batch that still does not fit is halved."""
ACTIVATIONS = 34
"""Numbers kept for the backward pass per token, layer and hidden unit. In 16 bits twice the bytes in equation
1 of Korthikanti et al. (arXiv 2205.05198) without attention scores, since gated layers keep more."""
CPU_TOKENS = 2**15
"""Most tokens of prompts and answers that a thread of the CPU decodes together, unless the settings decide.
Their keys and values take 2 GB in float32 with a model of 1.5 B parameters."""


@dataclass(frozen=True, slots=True)
class Runtime:
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
    """Whether oneDNN multiplies bfloat16 matrices in hardware, four times as fast as in float32."""
    capabilities = torch.cpu.get_capabilities()
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper() not in WITHOUT_BFLOAT16
    return allowed and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def usable_cores() -> int:
    # macOS has no `sched_getaffinity`.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(task: DescribeTask, _: object) -> DeviceReport:
    runtime = choose_runtime(task.device)
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
        count=torch.cuda.device_count() if runtime.device.type == "cuda" else 1,
        unused=cuda_fault() if task.device == "auto" and has_nvidia_gpu else "",
    )


def cpu_name() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())


def free_bytes(runtime: Runtime) -> int | None:
    """Returns the free memory of a CUDA GPU; None on other devices, where the settings decide."""
    return torch.cuda.mem_get_info(runtime.device)[0] if runtime.device.type == "cuda" else None


def rows_at_once(
    model_config: Any, dtype: torch.dtype, lengths: Sequence[int], most: int | None, free: int | None
) -> int:
    """Returns how many rows to decode together: `most` as in the settings, or fewer if they do not fit.

    `lengths` are the tokens of each prompt with its longest answer, `free` is in bytes.
    """
    if free is None or not lengths:
        return most or min(ROWS, max(1, CPU_TOKENS // max(lengths, default=1)))
    logits: int = 2 * 4 * model_config.vocab_size
    fitting = int(USABLE * free) // (max(lengths) * cache_bytes(model_config, dtype) + logits)
    return max(1, min(fitting, most or len(lengths)))


def cache_bytes(model_config: Any, dtype: torch.dtype) -> int:
    """Returns the bytes of the keys and values of one token."""
    heads = getattr(model_config, "num_key_value_heads", None) or model_config.num_attention_heads
    width = getattr(model_config, "head_dim", None)
    width = width or model_config.hidden_size // model_config.num_attention_heads
    keys_and_values: int = 2 * dtype.itemsize * model_config.num_hidden_layers * heads * width
    return keys_and_values


def training_bytes(weights: int, dtype: torch.dtype) -> int:
    """Returns the bytes that training needs besides the weights, before any text is processed."""
    copy = 0 if dtype == torch.float32 else 2 * 4  # with its gradient
    moments = 2 * 4  # AdamW's, in float32
    return weights * (dtype.itemsize + moments + copy)


def no_room(weights: int, dtype: torch.dtype, free: int | None) -> str:
    """Returns why so many weights cannot be trained in `free` bytes of GPU memory; empty if they can."""
    needed = training_bytes(weights, dtype)
    if free is None or needed < free:
        return ""
    return (
        f"training {weights / 1e6:,.0f} million weights takes {needed / 2**30:.1f} GB besides the student, "
        f"and {free / 2**30:.1f} GB of the GPU are free: give `--method lora` or a smaller student"
    )


def tokens_at_once(
    model_config: Any, dtype: torch.dtype, set_tokens: int, weights: int, free: int | None
) -> int:
    """Returns the tokens of a micro-batch: `set_tokens`, or more if `free` bytes hold more."""
    if free is None:
        return set_tokens
    free = max(0, free - training_bytes(weights, dtype))
    per_token: int = ACTIVATIONS * dtype.itemsize * model_config.num_hidden_layers * model_config.hidden_size
    return max(set_tokens, int(USABLE * free) // per_token)


def free_memory(runtime: Runtime) -> None:
    if runtime.device.type == "cuda":
        torch.cuda.empty_cache()
    elif runtime.device.type == "mps":
        torch.mps.empty_cache()
