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
from tests.crash.life import Act
from tests.crash.lives import SYMBOLIC, Nursery, Track, model
from tests.servers.completions import Entry
from tests.servers.manner import Act as Done
from tests.servers.teaching import teaching

FOR_EVER = "30"
"""Seconds that a server takes for a reply."""


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(
    raised: Nursery, whole: Evidence, tmp_path: Path
) -> None:
    """Alternates between points and moments; at moments, alternately spares and kills the children."""
    track, chance = Track(tmp_path, SYMBOLIC, raised), random.Random(0)
    for number in range(8):
        if number % 2 == 0:
            track.live(number=chance.randint(30, 60))
        else:
            track.live(moment=chance.uniform(0.3, 1.5), alone=number % 4 == 1)
    track.live()
    kills = sum(death.code < 0 for death in track.deaths)
    assert kills >= 4
    assert compare(track, whole) == Figures(kills=kills, survived=kills)


@pytest.mark.slow
def test_a_run_with_a_model_that_is_killed_again_and_again_pays_for_no_stored_reply_twice(
    raised: Nursery, tmp_path: Path
) -> None:
    with teaching(tmp_path, *SERVER) as server:
        settings = {**model(server.url), "problems.limit": 4}
        whole, track = (Track(tmp_path / name, settings, raised) for name in ("whole", "killed"))
        assert whole.live().code == 0, whole.said()
        before = len(server.log())
        for number in (3, 4, 5, 6):
            assert track.live(at="reply block replies", number=number).code < 0
            unstored = delivered_unstored(track, server, before)
        track.live()
        figures = compare(track, evidence(whole), server.log()[before:], unstored)
    assert figures == Figures(kills=4, survived=4, unstored=unstored)


def test_ctrl_c_twice_stops_at_once_even_while_a_model_is_silent(raised: Nursery, tmp_path: Path) -> None:
    with teaching(tmp_path, "--latency", FOR_EVER) as server:
        track = Track(tmp_path / "run", {**model(server.url), "calls.seconds": 60}, raised)
        began = time.monotonic()
        stopped = track.live(act=Act.INTERRUPT_TWICE, at="node teach 0: before", number=1)
    assert time.monotonic() - began < float(FOR_EVER)
    assert (stopped.code, stopped.left) == (INTERRUPTED, 0)
    said = track.said()
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
def test_harm_to_a_row_would_be_counted(finished: Track, whole: Evidence, sql: str, figure: str) -> None:
    with duckdb.connect(finished.run / DATABASE) as connection:
        connection.execute(sql)
    finished.live()
    assert getattr(compare(finished, whole), figure) > 0


def test_a_file_too_many_would_be_counted(finished: Track, whole: Evidence) -> None:
    finished.live()
    (finished.run / "students" / ".round-0-x").mkdir()
    assert compare(finished, whole) == Figures(stray=1)


def test_a_call_paid_twice_would_be_counted(finished: Track, whole: Evidence) -> None:
    finished.live()
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
