"""Who is at work in a run folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fdd.errors import UsageError
from fdd.rundir.lock import held, is_held


def test_a_folder_is_held_while_somebody_works_in_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_whoever_only_looks_turns_nobody_away(tmp_path: Path) -> None:
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            is_held(tmp_path)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(100):
            with held(tmp_path):
                pass
    finally:
        ended.set()
        for watcher in watchers:
            watcher.join()


def test_a_second_process_is_turned_away(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(UsageError, match="is at work in"), held(tmp_path):
        pass
