"""How much goes through a student at once: as set on a CPU, by the free memory on a CUDA GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from training.child import NO_MEMORY
from training.config import ROWS
from training.device import Runtime

USABLE = 0.6
"""Share of the free memory that is planned with; what still does not fit is halved when it fails."""
ACTIVATIONS = 34
"""Numbers kept for the backward pass per token, layer and hidden unit: in 16 bits twice the 34 bytes that
Korthikanti et al. (arXiv 2205.05198, equation 1) count without attention scores: gated layers keep more."""


def free_bytes(runtime: Runtime) -> int | None:
    """Free memory of a CUDA device; None elsewhere, where the settings decide."""
    return torch.cuda.mem_get_info(runtime.device)[0] if runtime.device.type == "cuda" else None


def rows_at_once(
    model_config: Any, dtype: torch.dtype, lengths: Sequence[int], most: int | None, free: int | None
) -> int:
    """Rows to decode together, as set with `most` or fewer; `lengths` are tokens of prompt and answer.

    `free` is in bytes. It is never the same twice, so the rows may differ after an interruption where it is
    given.
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
    """What training so many weights takes besides them, before any text goes through.

    Gradients, AdamW's two moments in float32, and weights in float32 where they are used in another format.
    """
    masters = 0 if dtype == torch.float32 else 4
    return weights * (dtype.itemsize + 2 * 4 + masters)


def no_room(weights: int, dtype: torch.dtype, free: int | None) -> str:
    """Why so many weights cannot be trained in the `free` bytes of a GPU; empty where they can."""
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
    """Tokens to train on together, where so many weights are to be trained."""
    if free is None:
        return set_tokens
    free = max(0, free - training_bytes(weights, dtype))
    per_token: int = ACTIVATIONS * dtype.itemsize * model_config.num_hidden_layers * model_config.hidden_size
    return max(set_tokens, int(USABLE * free) // per_token)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device or the system had not the memory; of most only the text of the error says so."""
    return isinstance(error, torch.OutOfMemoryError) or bool(NO_MEMORY.search(str(error)))


def free_memory(runtime: Runtime) -> None:
    """Hand cached blocks back after the device ran out of memory."""
    if runtime.device.type == "cuda":
        torch.cuda.empty_cache()
    elif runtime.device.type == "mps":
        torch.mps.empty_cache()
