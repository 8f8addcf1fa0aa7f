"""Decides how much a student processes at once: by the settings, and on a CUDA GPU by its free memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fdd.training.child import NO_MEMORY
from fdd.training.config import ROWS
from fdd.training.device import Runtime

USABLE = 0.6
"""Share of the free memory that batches are planned for. A batch that still does not fit is halved."""
ACTIVATIONS = 34
"""Numbers kept for the backward pass per token, layer and hidden unit. In 16 bits these are twice the 34
bytes that Korthikanti et al. (arXiv 2205.05198, equation 1) count without attention scores, since gated
layers keep more."""


def free_bytes(runtime: Runtime) -> int | None:
    """Returns the free memory of a CUDA GPU; None on other devices, where the settings decide."""
    return torch.cuda.mem_get_info(runtime.device)[0] if runtime.device.type == "cuda" else None


def rows_at_once(
    model_config: Any, dtype: torch.dtype, lengths: Sequence[int], most: int | None, free: int | None
) -> int:
    """Returns how many rows to decode together: `most` as in the settings, or fewer if they do not fit.

    `lengths` are the tokens of each prompt with its longest answer, `free` is the free memory in bytes.
    Since `free` is never the same twice, the result may change when a run is resumed on a CUDA GPU.
    """
    if free is None or not lengths:
        return most or ROWS
    heads = getattr(model_config, "num_key_value_heads", None) or model_config.num_attention_heads
    width = model_config.hidden_size // model_config.num_attention_heads
    keys_and_values: int = 2 * dtype.itemsize * model_config.num_hidden_layers * heads * width
    logits: int = 2 * 4 * model_config.vocab_size
    fitting = int(USABLE * free) // (max(lengths) * keys_and_values + logits)
    return max(1, min(fitting, most or len(lengths)))


def training_bytes(weights: int, dtype: torch.dtype) -> int:
    """Returns the bytes that training needs besides the weights, before any text is processed.

    Gradients, AdamW's two moments in float32, and a float32 copy of weights that are in another format.
    """
    masters = 0 if dtype == torch.float32 else 4
    return weights * (dtype.itemsize + 2 * 4 + masters)


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
    """Returns the tokens of a micro-batch: `set_tokens`, or more if `free` bytes hold more while `weights`
    weights are trained.
    """
    if free is None:
        return set_tokens
    free = max(0, free - training_bytes(weights, dtype))
    per_token: int = ACTIVATIONS * dtype.itemsize * model_config.num_hidden_layers * model_config.hidden_size
    return max(set_tokens, int(USABLE * free) // per_token)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device or the system ran out of memory; for most of these errors only the text says so."""
    return isinstance(error, torch.OutOfMemoryError) or bool(NO_MEMORY.search(str(error)))


def free_memory(runtime: Runtime) -> None:
    """Returns torch's cached memory to the device, after it ran out of memory."""
    if runtime.device.type == "cuda":
        torch.cuda.empty_cache()
    elif runtime.device.type == "mps":
        torch.mps.empty_cache()
