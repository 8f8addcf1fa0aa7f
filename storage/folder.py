"""Finds and opens the database in a run's folder."""

from __future__ import annotations

from pathlib import Path

from fdd.errors import PROGRAM, UsageError, is_unicode
from fdd.storage.store import Store

DATABASE = "fdd.duckdb"


def check_path(folder: Path) -> None:
    if not is_unicode(str(folder.absolute())):
        raise UsageError(f"the run folder {str(folder)!r} has a path that is no UTF-8: take another name")


def find_run(folder: Path) -> Path:
    """Returns the path of the run's database; `UsageError` if there is none in the folder."""
    check_path(folder)
    if not (folder / DATABASE).is_file():
        raise UsageError(
            f"no run in {str(folder)!r}: there is no {DATABASE}; start one with `{PROGRAM} --rounds N`"
        )
    return folder / DATABASE


def open_store(folder: Path) -> Store:
    return Store.open(find_run(folder))
