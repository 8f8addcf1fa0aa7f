"""How far a phase is, in a file: written at times, read by anybody, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain import Progress
from graph.heartbeat import FILE, heartbeat, latest
from tests.graph.test_run import Recorder

MISTYPED = '{"round": "1", "phase": 2, "done": 0, "total": 9}'


def progress(phase: str, done: int) -> Progress:
    return Progress(round=1, phase=phase, done=done, total=9, note="loss 0.5")


def test_the_first_progress_of_each_phase_is_there_at_once_and_nothing_at_the_end(tmp_path: Path) -> None:
    recorder = Recorder()
    with heartbeat(recorder, tmp_path) as listener:
        for phase in ("teach", "fine_tune"):
            listener.advanced(progress(phase, 0))
            assert latest(tmp_path) == progress(phase, 0)
            listener.advanced(progress(phase, 1))  # too soon to be written
            assert latest(tmp_path) == progress(phase, 0)
    assert list(tmp_path.iterdir()) == []
    assert recorder.phases == ["teach", "fine_tune"]


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    recorder = Recorder()
    with heartbeat(recorder, tmp_path / "nowhere") as listener:
        listener.advanced(progress("teach", 0))
    assert recorder.phases == ["teach"]
    assert latest(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"round": 1}', '{"round": "1", "phase": 2, "done": 0, "total": 9}']
)
def test_what_is_no_progress_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert latest(tmp_path) is None
