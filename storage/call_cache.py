"""The call cache: models' replies by the content of the request, so that no run pays twice for one request.

It is in SQLite, because many processes write to it at the same time; DuckDB allows one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from fdd.domain import StoredBatch, StoredReply, Usage
from fdd.errors import StoreError
from fdd.storage.codec import hash_values
from fdd.storage.database import LOCK_PATIENCE

_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS replies (
        key TEXT PRIMARY KEY, run TEXT NOT NULL, agent TEXT NOT NULL, model TEXT NOT NULL,
        status TEXT NOT NULL, finish TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL,
        tries INTEGER NOT NULL, seconds REAL NOT NULL, started TEXT NOT NULL,
        text TEXT NOT NULL, prompt TEXT NOT NULL, settings TEXT NOT NULL, content_hash TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS replies_by_run ON replies (run)",
    """
    CREATE TABLE IF NOT EXISTS batches (
        id TEXT PRIMARY KEY, file TEXT NOT NULL, remote TEXT NOT NULL,
        server TEXT NOT NULL, owner TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE IF NOT EXISTS sent (key TEXT PRIMARY KEY, batch TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS sent_by_batch ON sent (batch)",
)
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_WAIT = 0.01
"""Seconds between two attempts at an operation that SQLite's own timeout does not cover."""

_EMPTY = "DELETE FROM batches WHERE id NOT IN (SELECT batch FROM sent)"
_COLUMNS = tuple(field.name for field in fields(StoredReply))
_SELECT = f"SELECT {', '.join(_COLUMNS)}, content_hash FROM replies WHERE key = ?"
_INSERT = f"""
INSERT OR REPLACE INTO replies ({", ".join(_COLUMNS)}, content_hash) VALUES ({"?, " * len(_COLUMNS)}?)
"""
"""A row under the same key is replaced only if it is damaged: see `CallCache.put`."""


class CallCache:
    """Replies in one file that threads, processes and runs may share.

    Every method is one transaction, and raises `StoreError` if the file is damaged or cannot be written.
    Replies that `put` has returned survive a killed process; a power failure may lose the last ones, and
    nothing else.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file, whose folder must exist; `StoreError` if it cannot be written."""
        self.path = path
        self._turn = threading.Lock()
        with self._reporting("open"):
            self._connection = _connect(path)

    def close(self) -> None:
        with self._turn, self._reporting("close"):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str) -> StoredReply | None:
        """Returns the reply to a request. A damaged row counts as absent, and `put` replaces it.

        Asking again costs one call, but using a changed text would teach what no model has written.
        """
        with self._turn, self._reporting("read"):
            return _find(self._connection, key)

    def put(self, reply: StoredReply) -> StoredReply:
        """Stores a reply; returns the one that counts from now on, the first that was stored for its key."""
        with self._turn, self._reporting("write to"), self._connection as connection:
            # The write lock comes before the look-up, so that two processes cannot both find nothing.
            connection.execute("BEGIN IMMEDIATE")
            found = _find(connection, reply.key)
            if found is None:
                connection.execute(_INSERT, _encode(reply))
            return found or reply

    def batches(self, server: str) -> list[StoredBatch]:
        """Returns the batches to a model, each with only those keys that have no stored reply.

        Batches without any are removed.
        """
        with self._turn, self._reporting("read"), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM sent WHERE key IN (SELECT key FROM replies)")
            connection.execute(_EMPTY)
            rows = connection.execute(
                "SELECT id, file, remote, server, owner FROM batches WHERE server = ? ORDER BY rowid",
                [server],
            ).fetchall()
            keys = [
                tuple(key for (key,) in connection.execute("SELECT key FROM sent WHERE batch = ?", [row[0]]))
                for row in rows
            ]
        return [
            StoredBatch(id=row[0], file=row[1], remote=row[2], server=row[3], owner=row[4], keys=each)
            for row, each in zip(rows, keys, strict=True)
        ]

    def claim(self, batch: StoredBatch) -> StoredBatch:
        """Stores a new batch with those of its keys that have no reply and that no other batch has.

        Returns it with these keys. Without such keys nothing is stored.
        """
        with self._turn, self._reporting("write to"), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = [(key, batch.id) for key in batch.keys]
            connection.executemany("INSERT OR IGNORE INTO sent VALUES (?, ?)", rows)
            connection.execute("DELETE FROM sent WHERE key IN (SELECT key FROM replies)")
            found = connection.execute("SELECT key FROM sent WHERE batch = ?", [batch.id]).fetchall()
            if found:
                values = [batch.id, batch.file, batch.remote, batch.server, batch.owner]
                connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", values)
        claimed = {key for (key,) in found}
        return replace(batch, keys=tuple(key for key in batch.keys if key in claimed))

    def update(self, batch: StoredBatch) -> None:
        """Stores what is now known of a batch, except for its keys."""
        with self._turn, self._reporting("write to"), self._connection as connection:
            connection.execute(
                "UPDATE batches SET file = ?, remote = ?, owner = ? WHERE id = ?",
                [batch.file, batch.remote, batch.owner, batch.id],
            )

    def release(self, keys: Collection[str]) -> None:
        """Notes that requests are no longer on the way; a batch without any is removed."""
        with self._turn, self._reporting("write to"), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM sent WHERE key = ?", [(key,) for key in keys])
            connection.execute(_EMPTY)

    def spent(self, run: str) -> Usage:
        """Returns the number, tokens and cost of the replies that this run was the first to store."""
        with self._turn, self._reporting("read"):
            calls, prompt_tokens, completion_tokens, cost = self._connection.execute(
                "SELECT count(*), ifnull(sum(prompt_tokens), 0), ifnull(sum(completion_tokens), 0), "
                "total(cost_usd) FROM replies WHERE run = ?",
                [run],
            ).fetchone()
        return Usage(
            calls=calls, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost_usd=cost
        )

    @contextmanager
    def _reporting(self, action: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeEncodeError) as error:
            name = getattr(error, "sqlite_errorname", "")
            advice = "; move it away, and an empty one will be made" if name.startswith(_DAMAGED) else ""
            raise StoreError(f"cannot {action} the call cache {self.path}: {error}{advice}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_PATIENCE, isolation_level=None, check_same_thread=False)
    # Damage can leave invalid UTF-8, which must not raise here: the check of the hash finds it.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    try:
        _write_ahead(connection)
        # Commits then do not wait for the disk. Only a power failure can lose them.
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets write-ahead logging, which lets readers and a writer work at the same time; the file remembers it.

    While another process does the same with a new file, SQLite reports "locked" at once, whatever its
    timeout, because each process may hold the lock that the other waits for.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_WAIT)


def _find(connection: sqlite3.Connection, key: str) -> StoredReply | None:
    row = connection.execute(_SELECT, [key]).fetchone()
    if row is None:
        return None
    found = dict(zip(_COLUMNS, row[:-1], strict=True))
    if hash_values("replies", found) != row[-1]:
        return None
    return StoredReply(**{**found, "started": datetime.fromisoformat(found["started"])})


def _encode(reply: StoredReply) -> tuple[str | int | float, ...]:
    row = {
        **asdict(reply),
        # The hash distinguishes types, so an enum or an int must become the str or float that is read back.
        "status": str(reply.status),
        "finish": str(reply.finish),
        "cost_usd": float(reply.cost_usd),
        "seconds": float(reply.seconds),
        "started": reply.started.astimezone(UTC).isoformat(),
    }
    return (*row.values(), hash_values("replies", row))
