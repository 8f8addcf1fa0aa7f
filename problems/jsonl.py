"""Reads problems in GSM8K's format, `question` and an `answer` that ends in `#### N`, from a file.

A file is JSONL or one JSON array (also gzipped), or Parquet. Its content decides which it is; a file called
`*.parquet` is always read as Parquet.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from fdd.amounts import meant, parse_reference
from fdd.domain import MAX_TEXT, Problem, problem_id
from fdd.errors import ProblemSetError, brief, is_unicode
from fdd.matching import exact_form

SHOWN = 3
"""Most faults of a file that an error message describes; it counts the others."""


def read_jsonl(path: Path) -> list[Problem]:
    """Reads every problem of a file.

    Raises ProblemSetError, with row and field, for rows that cannot be used, for a question that occurs twice
    with different answers, and for a file that is empty or cannot be read.
    """
    problems: list[Problem] = []
    faults: list[str] = []
    known: dict[str, tuple[str, Fraction]] = {}
    for place, row in _rows(path):
        try:
            problem = _problem(row, path.stem, place)
            first, answer = known.setdefault(exact_form(problem.question), (place, problem.answer))
            if answer != problem.answer:
                raise ProblemSetError(
                    f"{place}: the question of {first} again, but with the answer {problem.answer} "
                    f"instead of {answer}; take one of them out"
                )
            problems.append(problem)
        except ProblemSetError as error:
            faults.append(str(error))
    if faults:
        more = f"; {len(faults) - SHOWN} more rows cannot be used" if len(faults) > SHOWN else ""
        raise ProblemSetError(f"{path}, {'; '.join(faults[:SHOWN])}{more}")
    if not problems:
        raise ProblemSetError(f"the problem file {str(path)!r} is empty; it needs one JSON object a line")
    return problems


def _problem(row: object, source: str, where: str) -> Problem:
    if isinstance(row, bytes):
        row = _parsed(row, where)
    if not isinstance(row, dict):
        raise ProblemSetError(f"{where}: not a JSON object but {brief(row)}")
    for field in ("question", "answer"):
        if row.get(field) is None:
            keys = ", ".join(map(brief, list(row)[:8])) or "none"
            raise ProblemSetError(
                f"{where}: field {field!r} is missing; the fields are {keys}: rename them to 'question', and "
                "'answer' with a last line `#### N`"
            )
        _text(row[field], field, where)
    return make_problem(row["question"], row["answer"], source=source, where=where)


def make_problem(question: object, answer: object, *, source: str, where: str) -> Problem:
    """Builds a problem from GSM8K's two fields.

    Raises ProblemSetError, which names the row as `where`, for a field that cannot be used.
    """
    question = _text(question, "question", where)
    answer = _text(answer, "answer", where)
    solution, mark, final = answer.rpartition("####")
    if not mark:
        raise ProblemSetError(f"{where}: field 'answer' has no final line `#### N`: {brief(answer)}")
    value = parse_reference(final)
    if value is None:
        raise ProblemSetError(f"{where}: field 'answer' ends in {brief(final.strip())}, which is no number")
    if value.denominator > 1 and meant(value.numerator / value.denominator) != value:
        raise ProblemSetError(
            f"{where}: field 'answer' ends in {brief(final.strip())}, which no program computes exactly; "
            "write it with at most 13 digits, or as a fraction with a smaller denominator"
        )
    return Problem(
        id=problem_id(question, value),
        question=question,
        answer=value,
        solution=solution.strip(),
        source=source,
    )


def _text(value: object, field: str, where: str) -> str:
    if not isinstance(value, str):
        raise ProblemSetError(f"{where}: field {field!r} is not text but {brief(value)}")
    if not value.strip():
        raise ProblemSetError(f"{where}: field {field!r} is empty")
    if len(value) > MAX_TEXT:
        raise ProblemSetError(
            f"{where}: field {field!r} has {len(value):,} characters, {brief(value)}; "
            f"shorten it to {MAX_TEXT:,} or take the problem out"
        )
    if not is_unicode(value):
        raise ProblemSetError(
            f"{where}: field {field!r} contains a lone surrogate (invalid Unicode): {brief(value)}"
        )
    return value.strip()


def _rows(path: Path) -> Iterator[tuple[str, object]]:
    """Yields the place of every row (`line 3`) and the row, as bytes if it is a line; skips blank lines."""
    data = _read(path)
    if data.startswith(b"PAR1") or path.suffix == ".parquet":
        yield from _parquet(path, data)
        return
    data = data.removeprefix(b"\xef\xbb\xbf")  # byte order mark
    array = _array(path, data) if data.lstrip().startswith(b"[") else None
    if array is not None:
        yield from ((f"item {number}", item) for number, item in enumerate(array, start=1))
        return
    yield from ((f"line {n}", line) for n, line in enumerate(data.split(b"\n"), start=1) if line.strip())


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except FileNotFoundError:
        raise ProblemSetError(
            f"there is no problem file {str(path)!r}; give `gsm-symbolic`, `gsm8k` or a JSONL file"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProblemSetError(f"the problem file {str(path)!r} is damaged gzip: {error}") from error
    except OSError as error:
        raise ProblemSetError(f"cannot read the problem file {str(path)!r}: {error.strerror}") from error


def _parquet(path: Path, data: bytes) -> Iterator[tuple[str, object]]:
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
        array: list[object] = json.loads(data.decode("utf-8"))
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


def _parsed(line: bytes, where: str) -> object:
    try:
        row: object = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 at byte {error.start + 1}; save the file as UTF-8"
    except json.JSONDecodeError as error:
        fault = f"not JSON at column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        fault = f"not JSON that can be read: {error}"
    else:
        return row
    raise ProblemSetError(f"{where}: {fault}")
