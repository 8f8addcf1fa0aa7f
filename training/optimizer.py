"""AdamW for a student's weights, and the file that keeps its state for the next training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fdd.errors import RunFailedError
from fdd.training.config import FineTuneConfig

BETA1 = 0.9
"""AdamW's decay of the mean gradient per step."""


class Weight:
    """A trained weight of the network, and the float32 copy on which its optimizer steps are made."""

    def __init__(self, name: str, used: nn.Parameter) -> None:
        self.name, self.used = name, used
        # bfloat16 is too coarse for small steps.
        self.master = used if used.dtype == torch.float32 else nn.Parameter(used.detach().float())
        self.optimizer: torch.optim.AdamW
        """That of the weight; several weights may share one."""

    def take_gradient(self) -> None:
        self.master.grad = None if self.used.grad is None else self.used.grad.float()

    def update_used(self) -> None:
        if self.master is not self.used:
            self.used.data.copy_(self.master.data)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the weight and, after the first step, AdamW's `step`, `exp_avg` and `exp_avg_sq`."""
        return {"weight": self.master.data, **self.optimizer.state[self.master]}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.master.data.copy_(tensors.pop("weight"))
        self.update_used()
        if tensors:
            device = self.master.device
            self.optimizer.state[self.master] = {name: each.to(device) for name, each in tensors.items()}


class Optimizer:
    """AdamW for all weights."""

    def __init__(
        self, trained: Mapping[str, nn.Parameter], config: FineTuneConfig, beta2: float, *, together: bool
    ) -> None:
        """`together` steps all weights at once, as is fast on a GPU. Otherwise they take turns, so that only
        one gradient at a time is in float32. The results are the same.
        """
        self.weights = [Weight(name, used) for name, used in trained.items()]
        self._groups = [self.weights] if together else [[weight] for weight in self.weights]
        for group in self._groups:
            masters = [weight.master for weight in group]
            betas = BETA1, beta2
            optimizer = torch.optim.AdamW(masters, config.learning_rate, betas, weight_decay=0.0, fused=True)
            for weight in group:
                weight.optimizer = optimizer

    def step(self, rate: float) -> None:
        for group in self._groups:
            for weight in group:
                weight.take_gradient()
            optimizer = group[0].optimizer
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            for weight in group:
                if weight.used.grad is not None:
                    weight.update_used()
                weight.master.grad = weight.used.grad = None


def save_state(weights: Iterable[Weight], file: Path, progress: Mapping[str, str] | None = None) -> None:
    """Writes the weights in float32, the optimizer's moments and the progress, completely or not at all."""
    tensors = {f"{each.name}/{key}": value for each in weights for key, value in each.tensors().items()}
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(exist_ok=True)
        save_file(tensors, part, None if progress is None else dict(progress))
        part.replace(file)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            part.unlink()
        raise RunFailedError(
            f"cannot save the optimizer's state into {str(file)!r}: {error}; mend that, then `resume`"
        ) from None


def load_state(weights: Sequence[Weight], file: Path) -> Mapping[str, str]:
    """Restores what `save_state` wrote, and returns the progress; `RunFailedError` if the file is damaged or
    from another network.
    """
    try:
        with safe_open(file, framework="pt") as saved:
            keys = list(saved.keys())
            for each in weights:
                own = [key for key in keys if key.rpartition("/")[0] == each.name]
                each.restore({key.rpartition("/")[2]: saved.get_tensor(key) for key in own})
            return saved.metadata() or {}
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise RunFailedError(
            f"cannot go on from the optimizer's state in {str(file)!r} ({error}): begin a new run; with "
            "--start base it needs no such file but `*.checkpoint.safetensors`, which may be deleted"
        ) from None
