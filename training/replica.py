"""Computes the gradients of a batch, in several threads with a replica each where that is faster."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fdd.training.attention import GROUPED, is_plain
from fdd.training.data import IGNORED, Row, in_a_row, micro_batches, to_tensors
from fdd.training.parallel import threads_for
from fdd.training.student import Student

HEAD_ROWS = 128
"""Positions whose logits are in memory at once; those over the whole vocabulary take most of it."""
MOST_REPLICATED = 300_000_000
"""Most trained weights of a student that is trained in several threads, each with its own gradients."""


class Replica:
    """A network with its own gradients, on weights that it shares with the other replicas."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.body, self.head = network.base_model, network.get_output_embeddings()

    def accumulate(self, rows: Sequence[Row], labelled: int, micro_batch_tokens: int) -> float:
        """Adds these rows' part of the gradient of a batch with `labelled` targets; returns their loss."""
        pieces = [self.backward(piece, labelled) for piece in micro_batches(rows, micro_batch_tokens)]
        # Read once for all of them, since a GPU is waited for.
        losses = iter(torch.stack(list(chain.from_iterable(pieces))).tolist())
        return sum(sum(islice(losses, len(piece))) for piece in pieces)

    def inputs(self, rows: Sequence[Row]) -> tuple[dict[str, Any], Tensor]:
        """Returns the network's inputs and the labels: the rows one after another, or else padded."""
        device, config = self.network.device, self.network.config
        if config._attn_implementation == GROUPED and not getattr(config, "sliding_window", None):
            ids, positions, labels = in_a_row(rows)
            masks = [causal_mask(len(row), self.network.dtype) for row in rows]
            # A mask of four dimensions is passed on as it is, so that none of all rows is made.
            whole = {"attention_mask": masks[0][None, None], "row_masks": masks}
            return {"input_ids": ids, "position_ids": positions, "use_cache": False, **whole}, labels
        ids, mask, labels = (tensor.to(device) for tensor in to_tensors(rows))
        return {"input_ids": ids, "attention_mask": mask, "use_cache": False}, labels

    def backward(self, rows: Sequence[Row], labelled: int) -> list[Tensor]:
        """Adds the gradient of a micro-batch; returns the losses of its parts."""
        inputs, labels = self.inputs(rows)
        # The output at a position predicts the next token.
        places = labels[:, 1:] != IGNORED
        targets = labels[:, 1:][places]
        if not is_plain(self.network.config):  # it may do more to logits than apply the head
            logits = self.network(**inputs).logits[:, :-1][places]
            loss = cross_entropy(logits.float(), targets, reduction="sum")
            torch.autograd.backward(loss / labelled)
            return [loss.detach()]
        hidden: Tensor = self.body(**inputs).last_hidden_state[:, :-1][places]
        leaf, losses = hidden.detach().requires_grad_(), list[Tensor]()
        for start in range(0, len(targets), HEAD_ROWS):
            logits = self.head(leaf[start : start + HEAD_ROWS]).float()
            loss = cross_entropy(logits, targets[start : start + HEAD_ROWS], reduction="sum")
            torch.autograd.backward(loss / labelled)
            losses.append(loss.detach())
        torch.autograd.backward(hidden, leaf.grad)
        return losses

    def parameters(self) -> list[nn.Parameter]:
        return list(self.network.parameters())

    def another(self) -> Replica:
        # As `memo`, this makes the copy use parameters that share the memory of the weights.
        shared = {id(p): nn.Parameter(p.detach(), p.requires_grad) for p in self.parameters()}
        return Replica(copy.deepcopy(self.network, shared))


def causal_mask(length: int, dtype: torch.dtype) -> Tensor:
    """Returns what is added to the scores, (length, length), so that no position attends to a later one."""
    return torch.full((length, length), torch.finfo(dtype).min, dtype=dtype).triu(1)


def replicas_of(student: Student, trained: int) -> list[Replica]:
    """Returns one replica for each thread, or a single one if several threads do not pay.

    They do not pay in float32, whose products keep all cores busy, nor for large students. Other types of
    models get one replica too: with dropout the results would depend on which thread draws first.
    """
    first, runtime = Replica(student.model), student.runtime
    pays = runtime.dtype == torch.bfloat16 and trained <= MOST_REPLICATED and is_plain(student.model.config)
    return [first, *(first.another() for _ in range(1, threads_for(runtime) if pays else 1))]
