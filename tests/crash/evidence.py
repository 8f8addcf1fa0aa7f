"""What a run left behind, for comparison with an uninterrupted run."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from fdd.graph.agents import CALLS
from fdd.rundir.delivery import DATASET, STUDENT
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.records import HASHED_RECORDS, RunRecord
from fdd.training.weights import CHECKSUMS
from tests.crash.runs import CrashRun
from tests.servers.completions import Entry
from tests.servers.manner import Act

PAID = (Act.ANSWERED, Act.DECLINED, Act.MALFORMED, Act.TRUNCATED, Act.FILTERED, Act.SLOW)
"""Acts for which a provider would charge."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What a run left behind."""

    rows: frozenset[Row]
    """Table, key and content hash of each row; also the contents of the files of `texts_of`."""
    files: frozenset[str]
    findings: int
    """Number of findings of `verify`."""


def evidence(track: CrashRun) -> Evidence:
    world = track.run.parent
    return Evidence(
        rows=frozenset([*rows_of(track.run), *texts_of(track.run)]),
        files=frozenset(str(path.relative_to(world)) for path in world.rglob("*")),
        findings=len(open_store(track.run).verify()),
    )


def rows_of(run: Path) -> Iterator[Row]:
    """Yields table, key and content hash of each row.

    The content hash covers everything but measured times and which run paid for a call.
    """
    with duckdb.connect(run / DATABASE, read_only=True) as connection:
        for record in HASHED_RECORDS:
            if record is not RunRecord:  # its id and time differ from run to run
                columns = ", ".join([*record.key, "content_hash"])
                found = connection.execute(f"SELECT {columns} FROM {record.table}").fetchall()
                yield from ((record.table, *map(str, row)) for row in found)


def texts_of(run: Path) -> Iterator[Row]:
    """Yields the data set, the checksum of each student, and which student is delivered."""
    for file in (run / DATASET, *run.glob(f"students/*/{CHECKSUMS}")):
        yield "file", str(file.relative_to(run)), file.read_text()
    yield "file", STUDENT, str((run / STUDENT).readlink())


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What kills did. All figures but the first two and the last should be 0."""

    kills: int = 0
    survived: int = 0
    lost: int = 0
    duplicates: int = 0
    paid_twice: int = 0
    """Calls that were answered and charged again although their replies were stored."""
    stray: int = 0
    findings: int = 0
    left: int = 0
    """Processes that did not end."""
    unfinished: int = 0
    """Runs that did not finish."""
    unstored: int = 0
    """Replies delivered to a process that was killed before it stored them. These calls may be paid twice."""

    def __add__(self, other: Figures) -> Figures:
        return Figures(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def harmless(self) -> bool:
        harm = (self.lost, self.duplicates, self.paid_twice, self.stray, self.findings, self.left)
        return not any((*harm, self.unfinished))

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.survived} survived, {self.lost} lost rows, {self.duplicates} "
            f"duplicate rows, {self.paid_twice} stored calls paid twice ({self.unstored} replies not yet "
            f"stored when killed), {self.stray} stray files, {self.findings} findings of verify, {self.left} "
            f"processes left, {self.unfinished} runs unfinished"
        )


def compare(track: CrashRun, whole: Evidence, log: Sequence[Entry] = (), unstored: int = 0) -> Figures:
    """Compares a killed run with the uninterrupted one; `log` is the server's log of its requests."""
    kills = sum(ended.code < 0 for ended in track.exits)
    if track.exits[-1].code != 0:
        return Figures(kills=kills, unfinished=1)
    found = evidence(track)
    harm = Figures(
        lost=len(whole.rows - found.rows) + len(whole.files - found.files),
        duplicates=len(found.rows - whole.rows),
        paid_twice=max(0, repeated(log) - unstored),
        stray=len(found.files - whole.files),
        findings=found.findings,
        left=sum(ended.left for ended in track.exits),
    )
    survived = kills if harm.harmless else 0
    return replace(harm, kills=kills, survived=survived, unstored=unstored)


def paid(log: Iterable[Entry]) -> list[str]:
    """Returns the body hash of each request that was answered and charged, once for each answer."""
    return [entry.body for entry in log if entry.completed and entry.done in PAID]


def repeated(log: Iterable[Entry]) -> int:
    return sum(times - 1 for times in Counter(paid(log)).values())


def stored(cache: Path) -> int:
    """Counts the replies in the call cache, in a copy: opening the file would repair what the kill left."""
    with TemporaryDirectory() as folder:
        for file in cache.glob(f"{CALLS}*"):
            shutil.copy(file, folder)
        if not (Path(folder) / CALLS).exists():
            return 0
        with closing(sqlite3.connect(Path(folder) / CALLS)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'replies'").fetchone():
                return 0  # killed while the file was made
            (count,) = connection.execute("SELECT count(*) FROM replies").fetchone()
        return int(count)
