"""Makes databases with the schema of the first migration alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fdd.storage.database import MIGRATIONS, Database


def first_database(path: Path, rows: Path) -> Database:
    """Returns such a database at `path`, with the rows that the SQL file `rows` inserts."""
    database = Database(path)
    with database.writing():
        pass  # makes the file
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        shutil.copy(MIGRATIONS / "0001_tables.sql", folder)
        patch.setattr("fdd.storage.database.MIGRATIONS", Path(folder))
        database.migrate()
    with database.writing() as connection:
        connection.execute(rows.read_text("utf-8"))
    return database
