"""Fixtures: the fork server, and a run that was never interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.evidence import Evidence, evidence
from tests.crash.lives import SYMBOLIC, Nursery, Track, nursery


@pytest.fixture(scope="session")
def raised() -> Iterator[Nursery]:
    with nursery() as process:
        process.wait()
        yield process


@pytest.fixture(scope="session")
def undisturbed(raised: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Track:
    track = Track(tmp_path_factory.mktemp("whole"), SYMBOLIC, raised)
    assert track.live().code == 0, track.said()
    return track


@pytest.fixture(scope="session")
def whole(undisturbed: Track) -> Evidence:
    return evidence(undisturbed)


@pytest.fixture
def finished(undisturbed: Track, raised: Nursery, tmp_path: Path) -> Track:
    """A copy of the finished run that was never interrupted."""
    track = Track(tmp_path, SYMBOLIC, raised)
    shutil.copytree(undisturbed.run.parent, track.run.parent, symlinks=True)
    return track
