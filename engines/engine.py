"""The protocol of all engines, and the one that needs nothing but this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from fdd.engines.config import EngineConfig
from fdd.errors import UsageError
from fdd.training.tasks import OnEvent, R, Task
from fdd.training.worker import never, run_in_child

RAY_VARIABLES: Mapping[str, str] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_V2_ENABLED": "1"}
"""Ray reads these and the next one when it is imported."""
LOOPBACK: Mapping[str, str] = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes Ray do on Linux what it does elsewhere: a new cluster listens on the loopback interface only."""


class Engine(Protocol):
    def run(self, task: Task[R], on_event: OnEvent, should_stop: Callable[[], bool] = never) -> R:
        """Performs the task and returns its result. Calls `on_event` in this process, in order.

        Calls `should_stop` several times a second. Once it returns True, the work is ended and `StoppedError`
        raised. An error of the task is raised with its own type, and `WorkerError` if the work was lost.
        """


class LocalEngine:
    """Performs each task in a child process of its own."""

    def run(self, task: Task[R], on_event: OnEvent, should_stop: Callable[[], bool] = never) -> R:
        return run_in_child(task, on_event, should_stop)


LOCAL = LocalEngine()


@contextmanager
def open_engine(config: EngineConfig) -> Iterator[Engine]:
    """Yields the engine; a cluster that is started for it ends with the block.

    Raises `UsageError` if the cluster cannot be used.
    """
    if config.name == "local":
        yield LOCAL
        return
    os.environ.update(RAY_VARIABLES if config.address else {**RAY_VARIABLES, **LOOPBACK})
    try:
        from fdd.engines.ray_engine import connected
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--engine ray needs the package {error.name!r}: "
            "pip install 'feedback-driven-distillation[scale]'"
        ) from None
    with connected(config) as engine:
        yield engine
