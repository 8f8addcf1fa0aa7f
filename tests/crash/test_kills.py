"""Kills change nothing in the result of a run (a part of `tests.crash.campaign`), and changes are noticed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import duckdb
import pytest

from fdd.commands.watching import ASKED_TO_STOP
from fdd.errors import INTERRUPTED
from fdd.storage.folder import DATABASE
from tests.crash.campaign import SERVER, delivered_unstored
from tests.crash.evidence import Evidence, Figures, compare, evidence
from tests.crash.process import Act
from tests.crash.runs import DISTILLED, SKILLS, SYMBOLIC, CrashRun, ForkServer, model
from tests.servers.completions import Entry
from tests.servers.manner import Act as Done
from tests.servers.teaching import teaching

FOR_EVER = "30"
"""Seconds that a server takes for a reply."""


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(
    forks: ForkServer, whole: Evidence, tmp_path: Path
) -> None:
    kill_again_and_again(CrashRun(tmp_path, SYMBOLIC, forks), whole)


def test_a_run_over_skills_that_is_killed_again_and_again_ends_as_one_that_was_not(
    forks: ForkServer, tmp_path: Path
) -> None:
    whole, killed = (CrashRun(tmp_path / name, SKILLS, forks) for name in ("whole", "killed"))
    assert whole.start().code == 0, whole.printed()
    kill_again_and_again(killed, evidence(whole))


def test_a_second_training_that_is_killed_goes_on_and_makes_the_same_student(
    forks: ForkServer, tmp_path: Path
) -> None:
    whole, killed = (CrashRun(tmp_path / name, DISTILLED, forks) for name in ("whole", "killed"))
    assert whole.start().code == 0, whole.printed()
    for at, number in (
        ("student RefineStep", 2),
        ("database commit refinements", 1),
        ("database commit refinements", 2),
    ):
        assert killed.start(at=at, number=number).code < 0, at
    killed.start()
    assert compare(killed, evidence(whole)) == Figures(kills=3, survived=3)


def kill_again_and_again(track: CrashRun, whole: Evidence) -> None:
    """Alternates between points and moments; at moments, alternately spares and kills the children."""
    chance = random.Random(0)
    for number in range(8):
        if number % 2 == 0:
            track.start(number=chance.randint(30, 60))
        else:
            track.start(moment=chance.uniform(0.3, 1.5), alone=number % 4 == 1)
    track.start()
    kills = sum(ended.code < 0 for ended in track.exits)
    assert kills >= 4
    assert compare(track, whole) == Figures(kills=kills, survived=kills)


@pytest.mark.slow
def test_a_run_with_a_model_that_is_killed_again_and_again_pays_for_no_stored_reply_twice(
    forks: ForkServer, tmp_path: Path
) -> None:
    with teaching(tmp_path, *SERVER) as server:
        settings = {**model(server.url), "problems.limit": 4}
        whole, track = (CrashRun(tmp_path / name, settings, forks) for name in ("whole", "killed"))
        assert whole.start().code == 0, whole.printed()
        before = len(server.log())
        for number in (3, 4, 5, 6):
            assert track.start(at="reply block replies", number=number).code < 0
            unstored = delivered_unstored(track, server, before)
        track.start()
        figures = compare(track, evidence(whole), server.log()[before:], unstored)
    assert figures == Figures(kills=4, survived=4, unstored=unstored)


def test_ctrl_c_twice_stops_at_once_even_while_a_model_is_silent(forks: ForkServer, tmp_path: Path) -> None:
    with teaching(tmp_path, "--latency", FOR_EVER) as server:
        track = CrashRun(tmp_path / "run", {**model(server.url), "calls.seconds": 60}, forks)
        began = time.monotonic()
        stopped = track.start(act=Act.INTERRUPT_TWICE, at="node teach 0: before", number=1)
    assert time.monotonic() - began < float(FOR_EVER)
    assert (stopped.code, stopped.left) == (INTERRUPTED, 0)
    said = track.printed()
    assert ASKED_TO_STOP in said
    assert said[-1] == f"Stopped; nothing is lost. Go on with: python main.py resume {track.run}"


@pytest.mark.parametrize(
    ("sql", "figure"),
    [
        ("DELETE FROM probes WHERE problem_id = (SELECT min(problem_id) FROM probes)", "lost"),
        (
            "INSERT INTO evaluations SELECT 9, name, n, 0, 0, 0, '' FROM evaluations WHERE round = 0",
            "duplicates",
        ),
        ("UPDATE attempts SET text = text || '!'", "findings"),
    ],
)
def test_harm_to_a_row_would_be_counted(finished: CrashRun, whole: Evidence, sql: str, figure: str) -> None:
    with duckdb.connect(finished.run / DATABASE) as connection:
        connection.execute(sql)
    finished.start()
    assert getattr(compare(finished, whole), figure) > 0


def test_a_file_too_many_would_be_counted(finished: CrashRun, whole: Evidence) -> None:
    finished.start()
    (finished.run / "students" / ".round-0-x").mkdir()
    assert compare(finished, whole) == Figures(stray=1)


def test_a_call_paid_twice_would_be_counted(finished: CrashRun, whole: Evidence) -> None:
    finished.start()
    answered = Entry(
        time=0.0,
        seconds=0.0,
        body="sha256",
        sample=0,
        task="explain",
        thought="pot",
        done=Done.ANSWERED,
        wrong=False,
        completed=True,
    )
    assert compare(finished, whole, [answered]) == Figures()
    assert compare(finished, whole, [answered, answered]) == Figures(paid_twice=1)
