"""Data parallelism: several processes train one student, each on its share of every batch.

All processes run the same training loop on the same batches. Only the gradients are exchanged, so that the
weights stay equal. Without a process group of `torch.distributed` there is one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import distributed, nn

from fdd.training.data import Row, split_evenly


def is_parallel() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def is_first() -> bool:
    """Whether this process writes the files and reports the steps."""
    return not is_parallel() or distributed.get_rank() == 0


def share_of(batch: Sequence[Row]) -> Sequence[Row]:
    """Returns the rows of a batch that this process computes; none if there are more processes than rows."""
    if not is_parallel():
        return batch
    shares = split_evenly(batch, distributed.get_world_size())
    rank = distributed.get_rank()
    return shares[rank] if rank < len(shares) else []


def add_up(loss: float, parameters: Iterable[nn.Parameter]) -> float:
    """Adds the gradients of all processes, in place, and returns the sum of their losses."""
    if not is_parallel():
        return loss
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sums = torch.tensor(loss, dtype=torch.float64, device=trained[0].device)  # NCCL adds on GPUs only
    exchanged = [parameter.grad for parameter in trained if parameter.grad is not None]
    for work in [distributed.all_reduce(tensor, async_op=True) for tensor in (sums, *exchanged)]:
        work.wait()
    return float(sums)
