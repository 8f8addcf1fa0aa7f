"""Problems in GSM8K's format: one JSON object a line, with `question`, and `answer` ending in `#### N`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from amounts import parse_reference
from domain import MAX_TEXT, Problem, problem_id
from errors import ProblemSetError, brief, is_unicode

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_jsonl(path: Path) -> list[Problem]:
    """Every problem of a file; blank lines are passed over.

    Raises ProblemSetError for the first line that cannot be read, with its number and field.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ProblemSetError(
            f"there is no problem file {str(path)!r}; give `gsm-symbolic`, `gsm8k` or a JSONL file"
        ) from None
    except OSError as error:
        raise ProblemSetError(f"cannot read the problem file {str(path)!r}: {error.strerror}") from error
    problems = list(_problems(path, data))
    if not problems:
        raise ProblemSetError(f"the problem file {str(path)!r} is empty; it needs one JSON object a line")
    return problems


def make_problem(question: object, answer: object, *, source: str, where: str) -> Problem:
    """A problem from GSM8K's two fields; `where` says in an error which row it was."""
    question = _text(question, "question", where)
    answer = _text(answer, "answer", where)
    solution, mark, final = answer.rpartition("####")
    if not mark:
        raise ProblemSetError(f"{where}: field 'answer' has no final line `#### N`: {brief(answer)}")
    value = parse_reference(final)
    if value is None:
        raise ProblemSetError(f"{where}: field 'answer' ends in {brief(final.strip())}, which is no number")
    return Problem(
        id=problem_id(question, value),
        question=question,
        answer=value,
        solution=solution.strip(),
        source=source,
    )


def _problems(path: Path, data: bytes) -> Iterator[Problem]:
    for number, line in enumerate(data.removeprefix(_BYTE_ORDER_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = _row(line, where)
        yield make_problem(row.get("question"), row.get("answer"), source=path.stem, where=where)


def _row(line: bytes, where: str) -> dict[str, object]:
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise ProblemSetError(
            f"{where}: not UTF-8 at byte {error.start + 1}; save the file as UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise ProblemSetError(f"{where}: not JSON at column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ProblemSetError(f"{where}: not JSON that can be read: {error}") from error
    if not isinstance(row, dict):
        raise ProblemSetError(f"{where}: not a JSON object but {brief(row)}")
    return row


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError for a key that stands twice: it is anybody's guess which of the values is meant."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {brief(key)} stands twice in one object")
        found[key] = value
    return found


def _text(value: object, field: str, where: str) -> str:
    if value is None:
        raise ProblemSetError(f"{where}: field {field!r} is missing")
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
        raise ProblemSetError(f"{where}: field {field!r} has half a character: {brief(value)}")
    return value.strip()
