"""One run with every kind of trouble: each is reported in one clear line, and the run can be resumed.

The tests share the run and follow the order of its phases. The last one checks that it ended as if nothing
had happened.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fdd.commands.watching import ASKED_TO_STOP
from fdd.errors import INTERRUPTED
from fdd.graph.open_run import CHECKPOINTS
from fdd.rundir.lock import LOCK, held
from fdd.storage.database import log_of
from fdd.storage.folder import DATABASE, open_store
from tests.crash.evidence import Evidence, Figures, compare
from tests.crash.process import Act
from tests.crash.runs import SYMBOLIC, CrashRun, ForkServer

HOUR = 3600.0


@pytest.fixture(scope="module")
def track(forks: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> CrashRun:
    return CrashRun(tmp_path_factory.mktemp("troubled"), SYMBOLIC, forks)


def complaint(track: CrashRun) -> str:
    """Returns the last line of the output, which must be its only error message, without a traceback."""
    said = track.printed()
    assert [line.startswith("error: ") for line in said[-2:]] in ([True], [False, True]), said
    assert not any(line.startswith("Traceback") for line in said), said
    return said[-1]


@pytest.mark.parametrize(
    ("act", "at", "said"),
    [
        (Act.FILL, "database commit problems", "cannot write to the database"),
        (Act.FILL, "node seed 0: after", "cannot write into"),
        (Act.FILL_STUDENT, "student Step", "cannot save the optimizer's state"),
        (Act.FILL, "file student: after", "cannot write into"),
    ],
    ids=["database", "bookmark", "student", "data set"],
)
def test_a_full_disk_ends_the_run_with_one_line(track: CrashRun, act: Act, at: str, said: str) -> None:
    """Uses a limit on file sizes: a write beyond it fails in the same way as on a full disk."""
    assert track.start(act=act, at=at, number=1, limit=2000).code == 1
    assert said in complaint(track)


def test_a_student_whose_process_is_killed_is_reported_in_one_line(track: CrashRun) -> None:
    assert track.start(act=Act.KILL_STUDENT, at="student begins", number=1).code == 1
    assert "the model's process was killed (SIGKILL)" in complaint(track)


def test_a_folder_that_cannot_be_written_is_refused_in_one_line_and_can_be_read(track: CrashRun) -> None:
    paths = [path for path in (track.run, *track.run.rglob("*")) if not path.is_symlink()]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555)
    assert track.start(ordinary=True).code == 1
    assert f"cannot write into '{track.run}': Permission denied" in complaint(track)
    assert track.start(("report", str(track.run), "--json"), ordinary=True).code == 0
    assert track.start(("verify", str(track.run)), ordinary=True).code == 0
    for path, mode in modes.items():
        path.chmod(mode)
    track.printed()


def test_a_second_process_is_refused_with_the_first_ones_pid(track: CrashRun) -> None:
    first = track.start(act=Act.RESUME, at="node synthesize 0: before", number=1)
    assert f"process {first.pid} is at work in '{track.run}'" in complaint(track)


def test_a_run_can_be_read_while_a_process_works_on_it(track: CrashRun) -> None:
    with held(track.run):
        assert track.start().code == 2
        assert f"process {os.getpid()} is at work" in complaint(track)
        assert track.start(("report", str(track.run), "--json")).code == 0
        assert track.start(("verify", str(track.run))).code == 0
    track.printed()


def test_what_a_dead_process_wrote_into_the_lock_keeps_nobody_out(track: CrashRun) -> None:
    (track.run / LOCK).write_text("1")
    assert track.start(at="node synthesize 0: after", number=1).code < 0


def test_time_that_jumps_by_hours_while_a_process_works_and_between_two_does_not_matter(
    track: CrashRun,
) -> None:
    for at, jumps in (("node teach 1: before", 10 * HOUR), ("node practise 1: after", 0.0)):
        assert track.start(at=at, number=1, jumps=jumps).code < 0
    events = open_store(track.run).events()
    assert [event.time for event in events] != sorted(event.time for event in events)
    assert (events[-1].phase, events[-1].kind) == ("practise", "finished")


@pytest.mark.parametrize(
    ("act", "at"),
    [(Act.TERMINATE, "node probe_children 1: before"), (Act.INTERRUPT, "student Step")],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_a_signal_stops_the_run_at_the_next_safe_point(track: CrashRun, act: Act, at: str) -> None:
    stopped = track.start(act=act, at=at, number=1)
    said = track.printed()
    assert (stopped.code, stopped.left) == (INTERRUPTED, 0)
    assert ASKED_TO_STOP in said
    assert said[-1] == f"Stopped; nothing is lost. Go on with: python main.py resume {track.run}"


def test_a_damaged_bookmark_is_named_with_what_to_do(track: CrashRun) -> None:
    track.printed()
    for file in track.run.glob(f"{CHECKPOINTS}*"):
        file.write_bytes(b"x" * file.stat().st_size)
    bookmark = track.run / CHECKPOINTS
    assert track.start().code == 1
    assert f"the checkpoint '{bookmark}' is damaged" in complaint(track)
    bookmark.unlink()


def test_after_all_of_that_the_run_ends_in_another_place_as_if_nothing_had_happened(
    track: CrashRun, whole: Evidence, forks: ForkServer, tmp_path: Path
) -> None:
    """The new place has a cache without the student's weights."""
    moved = CrashRun(tmp_path, {}, forks, exits=track.exits)
    moved.cache.mkdir(parents=True)
    shutil.move(track.run, moved.run)
    shutil.rmtree(track.run.parent)
    assert moved.start().code == 0, moved.printed()
    kills = sum(ended.code < 0 for ended in moved.exits)
    assert compare(moved, whole) == Figures(kills=kills, survived=kills)
    assert not log_of(moved.run / DATABASE).exists()
