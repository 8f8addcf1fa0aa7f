"""How far a phase is, in a file: written at times, read by anybody, whatever is in it."""

from __future__ import annotations

import time
from errno import ENOSPC
from pathlib import Path

import pytest

from fdd.domain import Progress
from fdd.errors import ListenerError
from fdd.graph.forecast import Clock
from fdd.rundir.progress import FILE, heartbeat, latest
from tests.graph.test_run import Recorder

NO_CLOCK = Clock(dict)
"""Foresees nothing."""


def progress(phase: str, done: int) -> Progress:
    return Progress(round=1, phase=phase, done=done, total=9, note="loss 0.5")


def test_every_progress_is_seen_soon_the_last_before_a_long_wait_too(tmp_path: Path) -> None:
    recorder = Recorder()
    with heartbeat(recorder, tmp_path, NO_CLOCK.left) as listener:
        for phase in ("teach", "fine_tune"):
            for done in range(3):
                listener.advanced(progress(phase, done))
            assert seen_within(300.0, tmp_path, progress(phase, 2))
    assert list(tmp_path.iterdir()) == []
    assert recorder.phases == ["teach", "fine_tune"]


def seen_within(seconds: float, folder: Path, wanted: Progress) -> bool:
    deadline = time.monotonic() + seconds
    while latest(folder) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return latest(folder) == wanted


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    recorder = Recorder()
    with heartbeat(recorder, tmp_path / "nowhere", NO_CLOCK.left) as listener:
        listener.advanced(progress("teach", 0))
        listener.beat()
    assert recorder.phases == ["teach"]
    assert latest(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"round": 1}', '{"round": "1", "phase": 2, "done": 0, "total": 9}']
)
def test_what_is_no_progress_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert latest(tmp_path) is None


def test_an_error_of_the_listener_is_told_apart_from_one_of_the_folder(tmp_path: Path) -> None:
    class Full(Recorder):
        def noticed(self, text: str) -> None:
            raise OSError(ENOSPC, f"no space for {text}")

    with (
        heartbeat(Full(), tmp_path, NO_CLOCK.left) as listener,
        pytest.raises(ListenerError, match="no space for news"),
    ):
        listener.noticed("news")
