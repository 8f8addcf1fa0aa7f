"""Fixtures: students small enough to train within a test."""

from pathlib import Path

import pytest
import torch

from fdd.training.device import Runtime, choose_runtime
from fdd.training.fetch import student_path
from fdd.training.student import Student, load_student


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return student_path("tiny", tmp_path_factory.mktemp("students"))


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return choose_runtime("cpu")


@pytest.fixture(autouse=True)
def one_thread(runtime: Runtime) -> None:  # noqa: ARG001
    """Faster for weights this small, and far faster if other processes need the cores as well."""
    torch.set_num_threads(1)


@pytest.fixture
def exact(tiny: Path, runtime: Runtime) -> Student:
    """A student in float32, so that rounding does not depend on the shape of a batch."""
    return load_student(tiny, Runtime(runtime.device, torch.float32))


@pytest.fixture
def student(tiny: Path, runtime: Runtime) -> Student:
    return load_student(tiny, runtime)
