"""Attention and key-value cache for students of the plain kind, made for small models on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.masking_utils import eager_mask

GROUPED = "grouped"
PLAIN_MODELS = frozenset({"llama", "qwen2", "qwen3"})
"""Model types with nothing but scaled dot products under a mask: no soft caps, sinks or recurrent state."""
ROOM = 64
"""Positions by which the cache grows."""


def is_plain(config: PretrainedConfig) -> bool:
    return config.model_type in PLAIN_MODELS


def grouped_attention(
    module: nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Two batched products, with the query heads that share a key head stacked into one.

    At a few hundred positions this takes a third of the time of torch's fused CPU kernel, whose backward pass
    is the slowest part of a training step. Shapes: query (batch, heads, length, size), key and value
    (batch, key heads, positions, size), mask (batch or 1, 1, length, positions), added to the scores.
    """
    batch, heads, length, size = query.shape
    groups, positions = key.shape[1], key.shape[2]
    stacked = (query * scaling).reshape(batch * groups, -1, size)
    scores = torch.bmm(stacked, key.reshape(batch * groups, positions, size).transpose(1, 2))
    scores = scores.view(batch, heads, length, positions) + attention_mask
    weights = scores.softmax(-1).view(batch * groups, -1, positions)
    mixed = torch.bmm(weights, value.reshape(batch * groups, positions, size))
    return mixed.view(batch, heads, length, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, eager_mask)


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer that writes new positions into room kept free, where `DynamicLayer` copies all it has."""

    room: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if self.room is None or self.room[0].shape[0] != key_states.shape[0] or self.room[0].shape[2] < end:
            self.room = self.enlarged(key_states, start, end), self.enlarged(value_states, start, end)
            if self.keys is not None and self.values is not None and start:
                self.room[0][:, :, :start] = self.keys
                self.room[1][:, :, :start] = self.values
        self.room[0][:, :, start:end] = key_states
        self.room[1][:, :, start:end] = value_states
        self.keys, self.values = self.room[0][:, :, :end], self.room[1][:, :, :end]
        return self.keys, self.values

    def enlarged(self, states: Tensor, start: int, end: int) -> Tensor:
        batch, heads, _, size = states.shape
        return states.new_empty(batch, heads, end + (ROOM if start else 0), size)

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self.room = None

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self.room = None


def new_cache(config: PretrainedConfig) -> Cache:
    return Cache(layer_class_to_replicate=RoomyLayer) if is_plain(config) else DynamicCache(config=config)
