"""The database file, opened for one transaction at a time so that a run can be inspected while it works."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import duckdb

from fdd.domain import content_hash
from fdd.errors import StoreBusyError, StoreError

Connection = duckdb.DuckDBPyConnection
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_PATIENCE = 10.0
"""Seconds that a transaction waits for another process to close the file."""
_FIRST_WAIT = 0.005
_LONGEST_WAIT = 0.1
"""Seconds between attempts to open the file: the first wait is doubled up to the longest."""
_ENDINGS = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
"""Endings of the files that DuckDB keeps for one database."""
_NAME = "fdd"
"""Name of the database inside DuckDB while its file is open."""
_SOMEBODY_ELSE_HAS_IT = ("Could not set lock", "Unique file handle conflict")
"""Parts of DuckDB's messages; another process, or another thread, has the file open."""
_DAMAGED = ("Corrupt", "not a valid DuckDB", "not read enough bytes", "deserialize", "INTERNAL Error")
_RECORDS = """
    CREATE TABLE IF NOT EXISTS migrations (
        number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied TIMESTAMP NOT NULL, hash VARCHAR NOT NULL
    )
"""
_ADVICE = (
    "; the file is damaged: put a copy of it back, or begin the run anew: replies of models that were paid "
    "for are kept and cost nothing again"
)


class Database:
    """One DuckDB file. While a process writes, no other can even read, so it is never open for long."""

    def __init__(self, path: Path, *, patience: float = LOCK_PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._turn = threading.Lock()
        self._engine: Connection | None = None
        """DuckDB itself stays loaded: loading it takes seven times as long as opening a file."""

    def reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(read_only=True)

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that is committed at the end of the block, and rolled back if the block raises."""
        return self._transaction(read_only=False)

    @contextmanager
    def _transaction(self, *, read_only: bool) -> Iterator[Connection]:
        with self._turn:
            try:
                connection = self._connect(read_only)
                try:
                    connection.begin()
                    yield connection
                    connection.commit()
                finally:
                    self._disconnect(connection)
            except (duckdb.Error, OSError) as error:
                raise self._explain(error, "read" if read_only else "write to") from error

    def _connect(self, read_only: bool) -> Connection:
        deadline = time.monotonic() + self._patience
        wait = _FIRST_WAIT
        self._engine = engine = self._engine or self._load()
        # Absolute, because DuckDB would take `md:x` for a database of a network service.
        path, mode = _quoted(str(self.path.absolute())), "READ_ONLY" if read_only else "READ_WRITE"
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            while True:
                try:
                    _take_turn(folder)
                    engine.execute(f"ATTACH {path} AS {_NAME} ({mode})")
                    return engine.execute(f"USE {_NAME}")
                except (BlockingIOError, duckdb.Error) as error:
                    busy = any(sign in str(error) for sign in _SOMEBODY_ELSE_HAS_IT)
                    if not busy and not isinstance(error, BlockingIOError):
                        raise
                    if time.monotonic() > deadline:
                        raise StoreBusyError(
                            f"the database {self.path} is in use by another program for more than "
                            f"{self._patience:g} s; close that program and try again ({_one_line(error)})"
                        ) from error
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
        finally:
            os.close(folder)  # unlocks it

    def _load(self) -> Connection:
        path = self.path.absolute()
        engine = duckdb.connect(":memory:", config={"temp_directory": f"{path}.tmp"})
        # In a file from elsewhere, a table may in fact be a view that reads other files or the network.
        parts = ", ".join(_quoted(f"{path}{ending}") for ending in _ENDINGS)
        engine.execute(f"SET allowed_paths = [{parts}]")
        return engine.execute("SET enable_external_access = false")

    def _disconnect(self, connection: Connection) -> None:
        """Closes the file, and if that fails DuckDB too. Raises nothing, to keep an error of the block."""
        try:
            connection.execute("USE memory")
            connection.execute(f"DETACH {_NAME}")
        except duckdb.Error:
            self._engine = None
            with suppress(duckdb.Error):
                connection.close()

    def _explain(self, error: Exception, action: str) -> StoreError:
        advice = _ADVICE if any(sign in str(error) for sign in _DAMAGED) else ""
        return StoreError(f"cannot {action} the database {self.path}: {_one_line(error)}{advice}")

    def applied(self) -> dict[int, str]:
        """Returns the hashes of the migrations applied to this file, by number; empty if it holds no run."""
        with self.reading() as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            if ("migrations",) not in tables:
                return {}
            return dict(connection.execute("SELECT number, hash FROM migrations").fetchall())

    def migrate(self, applied: Mapping[int, str] = MappingProxyType({})) -> None:
        """Applies the migrations that are not in `applied`, each in one transaction with its record.

        Makes the file if there is none, because DuckDB does so when it connects. Raises `StoreError` if
        another version of this program, with other migrations, wrote the file.
        """
        known = {int(path.name[:4]): path for path in MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")}
        texts = {number: path.read_text(encoding="utf-8") for number, path in known.items()}
        hashes = {number: content_hash(sql) for number, sql in texts.items()}
        for number, found in applied.items():
            if found != hashes.get(number):
                raise StoreError(
                    f"the database {self.path} has the tables of another version of this program (migration "
                    f"{number} differs): use that version, or start a new run"
                )
        for number in sorted(known.keys() - applied):
            with self.writing() as connection:
                connection.execute(_RECORDS)
                connection.execute(texts[number])
                connection.execute(
                    "INSERT INTO migrations VALUES (?, ?, ?, ?)",
                    [number, known[number].stem, datetime.now(UTC).replace(tzinfo=None), hashes[number]],
                )


def log_of(path: Path) -> Path:
    """Path of the write-ahead log, which has what is committed but not yet in the file."""
    return path.with_name(f"{path.name}.wal")


def _take_turn(folder: int) -> None:
    """Locks the folder, which makes this transaction the next to open the file.

    Raises `BlockingIOError` while another one is next. Without turns, a program that reads in a loop could
    overtake a writer again and again.
    """
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # a file system that cannot lock folders, as some networks' cannot


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _one_line(error: Exception) -> str:
    """DuckDB's message without its hints, which are on further lines."""
    return str(error).partition("\n")[0].strip()
