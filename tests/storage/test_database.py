"""The database file: migrations, other processes, sudden death and full disks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from fdd.errors import StoreError
from fdd.storage.database import MIGRATIONS, Database
from fdd.storage.store import Store
from fdd.training.weights import locked
from tests.storage.samples import RUN, problem

PREAMBLE = """
import sys
from pathlib import Path
from fdd.storage.store import Store
from tests.storage.samples import problem
path = Path(sys.argv[1])
"""
WRITE_BATCHES = """
store = Store.open(path)
for batch in range(10_000):
    store.add(problem(f"{batch}: what is {n}?", n) for n in range(20))
    print(batch, flush=True)
"""
HOLD = """
import duckdb
connection = duckdb.connect(path)
print("open", flush=True)
sys.stdin.read()
"""
FILL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = path.stat().st_size + 2_000_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
store = Store.open(path)
try:
    store.add(problem(f"{n} {n * 7919 % 10007} " + "".join(chr(33 + n * k % 90) for k in range(900)), n)
              for n in range(20_000))
except Exception as error:
    print(type(error).__name__, error)
"""


@contextmanager
def program(text: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PREAMBLE + text, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "fdd.duckdb", RUN)


def test_kill_9_keeps_every_committed_batch_and_no_half_batch(store: Store) -> None:
    with program(WRITE_BATCHES, store.path) as process:
        while int(line_of(process)) < 5:
            pass
        time.sleep(0.03)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        reported = 6 + len(process.stdout.read().splitlines())
    reopened = Store.open(store.path)
    count = len(reopened.problems())
    assert count % 20 == 0
    assert count // 20 in (reported, reported + 1)
    assert reopened.verify() == []
    assert reopened.add([problem("written afterwards", 1)]) == 1


def test_a_run_can_be_read_while_another_process_writes_to_it(store: Store) -> None:
    with program(WRITE_BATCHES, store.path) as process:
        line_of(process)
        counts = [len(store.problems())]
        while len(counts) < 10 or counts[-1] == counts[0]:
            counts.append(len(store.problems()))
            assert process.poll() is None
    assert counts == sorted(counts)
    assert all(count % 20 == 0 for count in counts)


def test_two_processes_may_write_in_turns(store: Store) -> None:
    with program(WRITE_BATCHES, store.path) as process:
        for n in range(10):
            store.add([problem(f"ours: what is {n}?", n)])
        line_of(process)
    assert sum(each.question.startswith("ours") for each in store.problems()) == 10


def test_a_file_that_is_never_let_go_is_reported(store: Store) -> None:
    impatient = Store.open(store.path, patience=0.2)
    with program(HOLD, store.path) as process:
        assert line_of(process) == "open"
        with pytest.raises(StoreError, match=r"in use by another program for more than 0\.2 s"):
            impatient.add([problem()])
        with pytest.raises(StoreError, match="in use by another program"):
            impatient.problems()
    assert impatient.add([problem()]) == 1


def test_whoever_waits_for_the_file_is_not_overtaken(store: Store) -> None:
    later = Store.open(store.path, patience=0.2)
    with locked(store.path.parent):  # as by one that waits
        for transaction in (later.problems, lambda: later.add([problem()])):
            with pytest.raises(StoreError, match=r"in use by another program for more than 0\.2 s"):
                transaction()
    assert later.add([problem()]) == 1


def test_a_file_held_within_the_process_is_waited_for(store: Store) -> None:
    holder = duckdb.connect(store.path)
    timer = threading.Timer(0.2, holder.close)
    timer.start()
    assert store.run() == RUN
    timer.join()


def test_a_full_disk_is_one_line_and_loses_nothing(store: Store) -> None:
    store.add([problem()])
    with program(FILL_DISK, store.path) as process:
        output, _ = process.communicate()
    # On a slow machine DuckDB draws a progress bar before it, because `python -c` counts as interactive.
    assert output.splitlines()[-1].startswith("StoreError cannot write to the database")
    reopened = Store.open(store.path)
    assert reopened.problems() == [problem()]
    assert reopened.verify() == []


def test_a_migration_is_recorded_once(store: Store) -> None:
    Store.open(store.path)
    with Database(store.path).reading() as connection:
        rows = connection.execute("SELECT number, name, hash FROM migrations ORDER BY number").fetchall()
    assert [(number, name) for number, name, _ in rows] == [(1, "0001_tables")]
    assert rows[0][2].startswith("sha256:")


def test_a_migration_that_came_later_is_applied_to_a_run_of_before(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (later / "0002_notes.sql").write_text("CREATE TABLE notes (n INTEGER); INSERT INTO notes VALUES (7);")
    monkeypatch.setattr("fdd.storage.database.MIGRATIONS", later)
    for _ in range(2):
        Store.open(store.path)
    with Database(store.path).reading() as connection:
        assert connection.execute("SELECT n FROM notes").fetchall() == [(7,)]
        numbers = connection.execute("SELECT number FROM migrations ORDER BY number").fetchall()
    assert numbers == [(1,), (2,)]


def test_a_database_with_the_tables_of_another_version_is_refused_in_one_line(store: Store) -> None:
    with Database(store.path).writing() as connection:
        connection.execute("UPDATE migrations SET hash = 'sha256:of-other-tables'")
        connection.execute("INSERT INTO migrations VALUES (9, '0009_old', now()::TIMESTAMP, 'sha256:')")
    with pytest.raises(StoreError, match="has the tables of another version") as caught:
        Store.open(store.path)
    assert "\n" not in str(caught.value)


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0009_broken.sql").write_text("CREATE TABLE extra (n INTEGER); SELECT * FROM nowhere;")
    monkeypatch.setattr("fdd.storage.database.MIGRATIONS", tmp_path)
    database = Database(tmp_path / "new.duckdb")
    with database.writing():
        pass
    with pytest.raises(StoreError, match="nowhere"):
        database.migrate()
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_a_database_of_a_newer_version_is_refused(store: Store) -> None:
    with Database(store.path).writing() as connection:
        connection.execute("INSERT INTO migrations VALUES (99, '0099_future', now()::TIMESTAMP, 'sha256:')")
    with pytest.raises(StoreError, match=r"another version of this program \(migration 99"):
        Store.open(store.path)


def test_a_view_cannot_read_other_files(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush\n")
    with duckdb.connect(store.path) as connection:
        connection.execute(f"CREATE VIEW elsewhere AS SELECT * FROM read_csv('{secret}')")
    with (
        pytest.raises(StoreError, match="Cannot access file"),
        Database(store.path).reading() as connection,
    ):
        connection.execute("SELECT * FROM elsewhere")


def test_a_database_may_have_any_path(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s [a] run; DROP, "x" 100 % é'
    folder.mkdir()
    made = Store.create(folder / "fdd.duckdb", RUN)
    assert made.add([problem()]) == 1
    assert Store.open(made.path).problems() == [problem()]
    assert [file.name for file in folder.iterdir()] == ["fdd.duckdb"]


def test_a_block_that_fails_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    database = Database(store.path)
    for fault in ("SELECT * FROM nowhere", "SELECT error('wrong')"):
        with pytest.raises(StoreError), database.writing() as connection:
            connection.execute("CREATE TABLE extra (n INTEGER)")
            connection.execute(fault)
    with pytest.raises(KeyError), database.writing() as connection:
        connection.execute("CREATE TABLE extra (n INTEGER)")
        raise KeyError
    with database.reading() as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert ("extra",) not in tables


def test_a_missing_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        Store.open(tmp_path / "fdd.duckdb")


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "fdd.duckdb"
    path.write_text("not a database " * 1000)
    with pytest.raises(StoreError, match="not a valid DuckDB database"):
        Store.open(path)


def test_an_existing_database_is_not_created_again(store: Store) -> None:
    with pytest.raises(StoreError, match="exists already"):
        Store.create(store.path, RUN)


def test_what_an_interrupted_creation_left_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("fdd.duckdb.new", "fdd.duckdb.new.wal"):
        (tmp_path / name).write_text("half")
    assert Store.create(tmp_path / "fdd.duckdb", RUN).run() == RUN
    assert not (tmp_path / "fdd.duckdb.new").exists()


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write to the database"):
        Store.create(tmp_path / "none" / "fdd.duckdb", RUN)
