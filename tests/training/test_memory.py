from functools import partial
from types import SimpleNamespace

import pytest
import torch

from fdd.training.device import (
    Runtime,
    free_bytes,
    no_room,
    rows_at_once,
    tokens_at_once,
    training_bytes,
)
from fdd.training.worker import is_out_of_memory

SMOLLM2 = SimpleNamespace(
    hidden_size=576, num_attention_heads=9, num_key_value_heads=3, num_hidden_layers=30, vocab_size=49152
)
WEIGHTS = 134_515_008
GIB = 2**30


def test_on_a_cpu_the_settings_decide() -> None:
    assert free_bytes(Runtime(torch.device("cpu"), torch.float32)) is None
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, None, None) == 64
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, 100, None) == 100
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300, 2048], None, None) == 16
    assert rows_at_once(SMOLLM2, torch.bfloat16, [2048], 100, None) == 100
    assert rows_at_once(SMOLLM2, torch.bfloat16, [100_000], None, None) == 1
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, WEIGHTS, None) == 512


@pytest.mark.parametrize(("free", "rows"), [(GIB, 88), (8 * GIB, 500), (1, 1)])
def test_a_gpu_decodes_what_its_memory_holds(free: int, rows: int) -> None:
    """300 tokens of 30 layers with 3 heads of 64 keys and values take 6.9 MB, and the odds 0.4 MB."""
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, None, free) == rows
    assert rows_at_once(SMOLLM2, torch.bfloat16, [300] * 500, 64, free) == min(64, rows)


def test_a_gpu_trains_on_more_tokens_at_once_and_never_on_fewer() -> None:
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, WEIGHTS, 80 * GIB) > 40_000
    assert tokens_at_once(SMOLLM2, torch.bfloat16, 512, WEIGHTS, 1) == 512


def test_gradients_and_the_optimizers_state_are_planned_before_the_tokens() -> None:
    """In 16 bits a weight takes 2 bytes of gradient, 8 of moments, and 4 each of its copy in float32 and that
    one's gradient.
    """
    for dtype, bytes_a_weight in ((torch.bfloat16, 18), (torch.float32, 12)):
        taken = training_bytes(WEIGHTS, dtype)
        assert taken == bytes_a_weight * WEIGHTS
        assert tokens_at_once(SMOLLM2, dtype, 512, WEIGHTS, 8 * GIB + taken) == tokens_at_once(
            SMOLLM2, dtype, 512, 0, 8 * GIB
        )


def test_a_training_that_does_not_fit_is_refused_with_the_way_that_may() -> None:
    of_1_5_billion = partial(no_room, 1_500_000_000, torch.bfloat16)
    assert of_1_5_billion(80 * GIB) == of_1_5_billion(None) == ""
    assert of_1_5_billion(18 * GIB) == (
        "training 1,500 million weights takes 25.1 GB besides the student, and 18.0 GB of the GPU are free: "
        "give `--method lora` or a smaller student"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("CUDA error: out of memory", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("MPS backend out of memory (MPS allocated: 5.56 GB)", True),
        ("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory", True),
        ("CUDA error: device-side assert triggered", False),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_want_of_memory_is_told_from_other_failures_of_a_device(text: str, expected: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) is expected


def test_in_float32_half_as_much_goes_through_a_gpu() -> None:
    full, half = torch.float32, torch.bfloat16
    assert rows_at_once(SMOLLM2, full, [300] * 500, None, GIB) == 45
    assert tokens_at_once(SMOLLM2, full, 512, 0, 8 * GIB) == tokens_at_once(SMOLLM2, half, 512, 0, 4 * GIB)
