"""Fixtures: the fork server, and a run that was never interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.evidence import Evidence, evidence
from tests.crash.runs import SYMBOLIC, CrashRun, ForkServer, fork_server


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with fork_server() as process:
        process.wait()
        yield process


@pytest.fixture(scope="session")
def undisturbed(forks: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> CrashRun:
    track = CrashRun(tmp_path_factory.mktemp("whole"), SYMBOLIC, forks)
    assert track.start().code == 0, track.printed()
    return track


@pytest.fixture(scope="session")
def whole(undisturbed: CrashRun) -> Evidence:
    return evidence(undisturbed)


@pytest.fixture
def finished(undisturbed: CrashRun, forks: ForkServer, tmp_path: Path) -> CrashRun:
    """A copy of the finished run that was never interrupted."""
    track = CrashRun(tmp_path, SYMBOLIC, forks)
    shutil.copytree(undisturbed.run.parent, track.run.parent, symlinks=True)
    return track
