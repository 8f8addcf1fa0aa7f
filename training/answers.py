"""Has a student answer, by the backend that its settings name."""

from __future__ import annotations

from types import ModuleType

from fdd.training import generate
from fdd.training.backend import load_vllm
from fdd.training.config import Backend
from fdd.training.tasks import GenerateTask, OnEvent, ShardTask


def perform(task: GenerateTask, on_event: OnEvent) -> None:
    library(task.config.backend).perform(task, on_event)


def shards(task: ShardTask, _: object) -> tuple[tuple[str, ...], ...]:
    """Returns the keys of the requests that one process answers together."""
    found: tuple[tuple[str, ...], ...] = library(task.whole.config.backend).shards(task.whole)
    return found


def library(backend: Backend) -> ModuleType:
    return generate if backend == "torch" else load_vllm()
