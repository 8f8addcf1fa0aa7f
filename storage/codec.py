"""Converts records to rows and back: fractions, enums, times and JSON become plain values for DuckDB."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from itertools import chain
from types import NoneType, UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

from fdd.domain import content_hash
from fdd.errors import StoreError, brief
from fdd.storage.database import Connection
from fdd.storage.records import HASHED_RECORDS, EventRecord, Record

Value = str | int | float | bool | datetime | None

R = TypeVar("R", bound=Record)

_FRACTION = re.compile(r"-?\d+(?:/\d+)?", re.ASCII)
"""The format of `str(Fraction)`. `Fraction` also accepts `1e999999999`, which is too large to compute."""


def columns(record: type[Record]) -> tuple[str, ...]:
    """Returns the record's columns, in the order of the values of `encode` and `decode`."""
    return tuple(_KINDS[record])


def encode(record: Record) -> tuple[Value, ...]:
    return tuple(_plain(kind, getattr(record, name)) for name, kind in _KINDS[type(record)].items())


def decode(record: type[R], row: Sequence[object]) -> R:
    """Returns the record of a row; StoreError for a value that `encode` could not have written."""
    kinds = _KINDS[record]
    values = {}
    for name, value in zip(kinds, row, strict=True):
        try:
            values[name] = _typed(kinds[name], value)
        except (ValueError, ZeroDivisionError, RecursionError):
            key = " ".join(brief(row[columns(record).index(part)]) for part in record.key)
            raise StoreError(
                f"{record.table} {key}: {name} cannot be {brief(value)}; "
                "somebody else wrote this row, or it is damaged"
            ) from None
    return record(**values)


def select(connection: Connection, record: type[R], where: str = "", *values: object) -> list[R]:
    """Returns the rows that match `where`, the query's `WHERE ... ORDER BY ...`, as records."""
    names = ", ".join(columns(record))
    rows = connection.execute(f"SELECT {names} FROM {record.table} {where}", list(values)).fetchall()
    return [decode(record, row) for row in rows]


def row_hash(record: type[Record], row: Sequence[object]) -> str:
    """Content hash of a row; the same for values from `encode` and for values from the database."""
    values = zip(columns(record), row, strict=True)
    hashed = {name: value for name, value in values if name not in record.unhashed}
    return hash_values(record.table, hashed)


def hash_values(table: str, values: Mapping[str, object]) -> str:
    """Content hash of named values, in the mapping's order."""
    # The type is hashed too, so that None, "", 1, 1.0 and True differ.
    tagged = (
        (name, "" if value is None else f"{type(value).__name__}:{value}") for name, value in values.items()
    )
    return content_hash(table, *chain.from_iterable(tagged))


def _plain(kind: object, value: object) -> Value:
    if isinstance(value, Fraction | StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    if isinstance(value, datetime):  # the columns have no time zone; all times are in UTC
        return value.astimezone(UTC).replace(tzinfo=None)
    assert value is None or isinstance(value, str | int | float)
    # An int has another hash than the float that the database returns for it.
    return float(value) if kind is float and value is not None else value


def _typed(kind: object, value: object) -> object:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, str):
        if kind is Fraction:
            return exact_number(value)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return kind(value)
        if get_origin(kind) is Mapping:
            return json.loads(value)
    return value


def exact_number(text: str) -> Fraction:
    """Parses the output of `str(Fraction)`; ValueError for other text, ZeroDivisionError for `1/0`."""
    if not _FRACTION.fullmatch(text):
        raise ValueError(text)
    return Fraction(text)


def _without_none(kind: object) -> object:
    parts = [part for part in get_args(kind) if part is not NoneType]
    return parts[0] if get_origin(kind) in (Union, UnionType) else kind


def _kinds(record: type[Record]) -> dict[str, object]:
    hints = get_type_hints(record)
    return {field.name: _without_none(hints[field.name]) for field in fields(record)}


_KINDS = {record: _kinds(record) for record in (*HASHED_RECORDS, EventRecord)}
