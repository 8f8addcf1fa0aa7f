"""How much goes through a student at once: as set on a CPU, by the free memory on a CUDA GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

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


def tokens_at_once(model_config: Any, dtype: torch.dtype, set_tokens: int, free: int | None) -> int:
    """Tokens to train on together."""
    if free is None:
        return set_tokens
    per_token: int = ACTIVATIONS * dtype.itemsize * model_config.num_hidden_layers * model_config.hidden_size
    return max(set_tokens, int(USABLE * free) // per_token)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had not the memory; of MPS only the text of a plain RuntimeError says so."""
    return isinstance(error, torch.OutOfMemoryError) or "MPS backend out of memory" in str(error)


def free_memory(runtime: Runtime) -> None:
    """Hand cached blocks back after the device ran out of memory."""
    if runtime.device.type == "cuda":
        torch.cuda.empty_cache()
    elif runtime.device.type == "mps":
        torch.mps.empty_cache()
