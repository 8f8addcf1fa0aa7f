"""Attention for Llama-like students, fast for small models on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.masking_utils import eager_mask

GROUPED = "grouped"
PLAIN_MODELS = frozenset({"llama", "qwen2", "qwen3"})
"""Model types whose attention is scaled dot products under a mask: no soft caps, sinks or recurrent state."""


RowMasks = Sequence[Tensor]
"""For rows that stand one after another in one sequence: the mask of each, (length, length)."""


def is_plain(config: PretrainedConfig) -> bool:
    return config.model_type in PLAIN_MODELS


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    row_masks: RowMasks = (),
    **_: Any,
) -> tuple[Tensor, None]:
    """Computes attention in two batched products; query heads that share a key head are stacked into one.

    At a few hundred positions this takes a third of the time of torch's fused CPU kernel, whose backward pass
    is the slowest part of a training step. Outside of training, the result equals that of transformers'
    `eager` attention bit for bit. Shapes: query (batch, heads, length, size), key and value (batch, key
    heads, positions, size), mask (batch or 1, 1, length, positions), added to the scores. With `row_masks`,
    the batch is one sequence of several rows, each of which attends to itself alone.
    """
    if row_masks:
        lengths = [len(mask) for mask in row_masks]
        parts = [torch.split(each, lengths, dim=2) for each in (query, key, value)]
        rows = [
            grouped_attention(module, q, k, v, mask, scaling)[0]
            for q, k, v, mask in zip(*parts, row_masks, strict=True)
        ]
        return torch.cat(rows, dim=1), None
    batch, heads, length, size = query.shape
    groups, positions = key.shape[1], key.shape[2]
    stacked = (query * scaling).reshape(batch * groups, -1, size)
    scores = torch.bmm(stacked, key.reshape(batch * groups, positions, size).transpose(1, 2))
    scores = scores.view(batch, heads, length, positions) + attention_mask
    # A softmax in bfloat16 would depend on the number of masked positions. Training can tolerate that.
    precision = query.dtype if module.training else torch.float32
    weights = scores.softmax(-1, dtype=precision).to(query.dtype).view(batch * groups, -1, positions)
    mixed = torch.bmm(weights, value.reshape(batch * groups, positions, size))
    return mixed.view(batch, heads, length, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, eager_mask)
