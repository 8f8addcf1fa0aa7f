from types import SimpleNamespace

import pytest
import torch

from training.device import Runtime
from training.memory import free_bytes, rows_at_once, tokens_at_once

SMOLLM2 = SimpleNamespace(
    hidden_size=576, num_attention_heads=9, num_key_value_heads=3, num_hidden_layers=30, vocab_size=49152
)
GIB = 2**30


def test_on_a_cpu_the_settings_decide() -> None:
    assert free_bytes(Runtime(torch.device("cpu"), torch.float32)) is None
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, None, None) == 64
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, 100, None) == 100
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, None) == 512


@pytest.mark.parametrize(("free", "rows"), [(GIB, 88), (8 * GIB, 500), (1, 1)])
def test_a_gpu_decodes_what_its_memory_holds(free: int, rows: int) -> None:
    """300 tokens of 30 layers with 3 heads of 64 keys and values take 6.9 MB, and the odds 0.4 MB."""
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, None, free) == rows
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, 64, free) == min(64, rows)


def test_a_gpu_trains_on_more_tokens_at_once_and_never_on_fewer() -> None:
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, 80 * GIB) > 40_000
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, 1) == 512


def test_in_float32_half_as_much_goes_through_a_gpu() -> None:
    full, half = torch.float32, torch.bfloat16
    assert rows_at_once(SMOLLM2, full, [300] * 500, None, GIB) == 45
    assert tokens_at_once(SMOLLM2, full, 512, 8 * GIB) == tokens_at_once(SMOLLM2, half, 512, 4 * GIB)
