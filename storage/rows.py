"""Selects rows of a table as records."""

from __future__ import annotations

import duckdb

from fdd.storage.codec import R, columns, decode


def select(
    connection: duckdb.DuckDBPyConnection, record: type[R], where: str = "", *values: object
) -> list[R]:
    """Returns the rows that match `where`, the query's `WHERE ... ORDER BY ...`, as records."""
    names = ", ".join(columns(record))
    rows = connection.execute(f"SELECT {names} FROM {record.table} {where}", list(values)).fetchall()
    return [decode(record, row) for row in rows]
