"""After a database was truncated or changed, `verify` says so, or its rows are still the same."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from fdd.graph.open_run import CHECKPOINTS
from fdd.storage.database import log_of
from fdd.storage.folder import DATABASE
from tests.crash.runs import CrashRun, ForkServer

FLIPS, CUTS = 12, 4
HEADERS = 3 * 4096
"""Number of bytes of the headers at the beginning of a DuckDB file: three of 4,096 bytes."""

Content = dict[str, list[tuple[object, ...]]]


def content(run: Path) -> Content:
    with duckdb.connect(run / DATABASE, read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}


def said_by_verify(track: CrashRun) -> str:
    """Runs `verify`; returns `sound`, `damaged` (unreadable) or `changed rows` (findings)."""
    ended = track.start(("verify", str(track.run)))
    said = track.printed()
    if (ended.code, said) == (0, ["0 findings"]):
        return "sound"
    assert ended.code == 1, said
    assert len(said) == 1 or said[-1] == f"{len(said) - 1} findings", said
    assert len(said) > 1 or "; the file is damaged: put a copy of it back" in said[0], said
    return "damaged" if len(said) == 1 else "changed rows"


def verdicts(track: CrashRun, file: Path, changed: list[bytes]) -> Counter[str]:
    """Counts what `verify` says of each changed content. Fails if one with other rows is called sound."""
    before = content(track.run)
    found: Counter[str] = Counter()
    for damaged in changed:
        file.write_bytes(damaged)
        verdict = said_by_verify(track)
        assert verdict != "sound" or content(track.run) == before
        found[verdict] += 1
    return found


def flipped(data: bytes, chance: random.Random, start: int = 0) -> bytes:
    """Returns the data with one random bit changed, at byte `start` or later."""
    offset = chance.randrange(start, len(data))
    return data[:offset] + bytes([data[offset] ^ 1 << chance.randrange(8)]) + data[offset + 1 :]


def test_no_flipped_bit_in_a_database_changes_a_row_unnoticed(finished: CrashRun) -> None:
    file, chance = finished.run / DATABASE, random.Random(0)
    data = file.read_bytes()
    flips = [flipped(data, chance) for _ in range(FLIPS)]
    assert verdicts(finished, file, flips)["damaged"] > 0


def test_every_flipped_bit_in_the_headers_of_a_database_is_noticed(finished: CrashRun) -> None:
    file, chance = finished.run / DATABASE, random.Random(0)
    data = file.read_bytes()
    flips = [flipped(data[:HEADERS], chance) + data[HEADERS:] for _ in range(CUTS)]
    assert verdicts(finished, file, flips) == {"damaged": CUTS}


def test_a_database_that_was_cut_off_is_noticed(finished: CrashRun) -> None:
    file, chance = finished.run / DATABASE, random.Random(0)
    data = file.read_bytes()
    cuts = [data[: chance.randrange(1, len(data))] for _ in range(CUTS)]
    assert verdicts(finished, file, cuts)["damaged"] > CUTS / 2


def test_no_flipped_bit_in_what_was_committed_last_goes_unnoticed(
    undisturbed: CrashRun, forks: ForkServer, tmp_path: Path
) -> None:
    """A process that is killed right after a commit leaves that commit in a log file beside the database."""
    track = CrashRun(tmp_path, undisturbed.settings, forks)
    track.start(at="database commit problems", number=2)
    track.printed()
    log, chance = log_of(track.run / DATABASE), random.Random(0)
    data = log.read_bytes()
    assert "sound" not in verdicts(track, log, [flipped(data, chance) for _ in range(CUTS)])


@pytest.mark.parametrize("data", [b"", b"no database " * 2000])
def test_a_file_that_is_no_database_is_one_line_for_every_command(finished: CrashRun, data: bytes) -> None:
    (finished.run / DATABASE).write_bytes(data)
    for command in ("verify", "report", "resume"):
        assert finished.start((command, str(finished.run))).code == 1
        (line,) = finished.printed()
        assert line.startswith("error: ")


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("UPDATE problems SET answer = 'x'", "resume"),
        ("UPDATE rationales SET reason = 'nonsense'", "resume"),
        ("UPDATE runs SET settings = '{}'", "resume"),
        ("UPDATE problems SET answer = '1/0'", "verify"),
        ("DELETE FROM runs", "report"),
    ],
)
def test_a_row_that_means_nothing_any_more_is_named_and_never_a_traceback(
    finished: CrashRun, sql: str, command: str
) -> None:
    with duckdb.connect(finished.run / DATABASE) as connection:
        connection.execute(sql)
    (finished.run / CHECKPOINTS).unlink()
    assert finished.start((command, str(finished.run))).code == 1
    assert not any(line.startswith("Traceback") for line in finished.printed())
