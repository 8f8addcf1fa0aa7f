"""Has a student answer, by the backend that its settings name."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

import torch

from fdd.training import generate
from fdd.training.config import Backend
from fdd.training.tasks import GenerateTask, OnEvent, ShardTask

VLLM = "fdd.training.vllm_backend"


def perform(task: GenerateTask, on_event: OnEvent) -> None:
    library(task.config.backend).perform(task, on_event)


def shards(task: ShardTask, _: object) -> tuple[tuple[str, ...], ...]:
    """Returns the keys of the requests that one process answers together."""
    found: tuple[tuple[str, ...], ...] = library(task.whole.config.backend).shards(task.whole)
    return found


def library(backend: Backend) -> ModuleType:
    """Returns the module that answers; vLLM takes seconds to import, and need not be installed."""
    if backend == "torch":
        return generate
    from fdd.training import vllm_backend

    return vllm_backend


def forget() -> None:
    """Frees the memory of the student that answered last."""
    generate.loaded.cache_clear()
    if VLLM in sys.modules:
        library("vllm").loaded.cache_clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
