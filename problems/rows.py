"""Reads the rows of a problem file: JSONL or a JSON array (also gzipped), or Parquet.

The content decides which it is; a file called `*.parquet` is always read as Parquet.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from fdd.errors import ProblemSetError, brief

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"

Row = dict[str, object]


def read_rows(path: Path) -> Iterator[tuple[str, Row | ProblemSetError]]:
    """Yields the place of every row (`line 3`) with the row or its fault; skips blank lines.

    Raises ProblemSetError if the file as a whole cannot be read.
    """
    data = _read(path)
    if data.startswith(_PARQUET) or path.suffix == ".parquet":
        yield from _parquet(path, data)
        return
    data = data.removeprefix(_BYTE_ORDER_MARK)
    array = _array(path, data) if data.lstrip().startswith(b"[") else None
    if array is not None:
        yield from ((f"item {number}", _checked(item)) for number, item in enumerate(array, start=1))
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield f"line {number}", _row(line)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP) else data
    except FileNotFoundError:
        raise ProblemSetError(
            f"there is no problem file {str(path)!r}; give `gsm-symbolic`, `gsm8k` or a JSONL file"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProblemSetError(f"the problem file {str(path)!r} is damaged gzip: {error}") from error
    except OSError as error:
        raise ProblemSetError(f"cannot read the problem file {str(path)!r}: {error.strerror}") from error


def _parquet(path: Path, data: bytes) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ProblemSetError(f"the problem file {str(path)!r} is no whole Parquet file: {reason}") from error
    yield from ((f"row {number}", row) for number, row in enumerate(rows, start=1))


def _array(path: Path, data: bytes) -> list[object] | None:
    """Returns the items of a file that is one JSON array; None for other files, which are read by line."""
    try:
        array: list[object] = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError:
        return None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        raise ProblemSetError(
            f"{path}, line {error.lineno}: not JSON at column {error.colno}: {error.msg}; "
            "the file begins as a JSON array"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ProblemSetError(f"{path}, line 1: not JSON that can be read: {error}") from error
    return array


def _row(line: bytes) -> Row | ProblemSetError:
    try:
        return _checked(json.loads(line.decode("utf-8"), object_pairs_hook=_object))
    except UnicodeDecodeError as error:
        return ProblemSetError(f"not UTF-8 at byte {error.start + 1}; save the file as UTF-8")
    except json.JSONDecodeError as error:
        return ProblemSetError(f"not JSON at column {error.colno}: {error.msg}")
    except (ValueError, RecursionError) as error:
        return ProblemSetError(f"not JSON that can be read: {error}")


def _checked(row: object) -> Row | ProblemSetError:
    return row if isinstance(row, dict) else ProblemSetError(f"not a JSON object but {brief(row)}")


def _object(pairs: Sequence[tuple[str, object]]) -> Row:
    """Builds a JSON object; ValueError for a key that occurs twice, since either value may be meant."""
    found: Row = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {brief(key)} stands twice in one object")
        found[key] = value
    return found
