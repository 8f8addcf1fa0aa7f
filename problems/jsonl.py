"""Reads problems in GSM8K's format, `question` and an `answer` that ends in `#### N`, from a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from fdd.amounts import meant, parse_reference
from fdd.domain import MAX_TEXT, Problem, problem_id
from fdd.errors import ProblemSetError, brief, is_unicode
from fdd.matching import exact_form
from fdd.problems.rows import Row, read_rows

SHOWN = 3
"""Most faults of a file that an error message describes; it counts the others."""


def read_jsonl(path: Path) -> list[Problem]:
    """Reads every problem of a file, in any of the formats that `read_rows` knows.

    Raises ProblemSetError, with row and field, for rows that cannot be used, for a question that occurs twice
    with different answers, and for an empty file.
    """
    problems: list[Problem] = []
    faults: list[str] = []
    known: dict[str, tuple[str, Fraction]] = {}
    for place, row in read_rows(path):
        try:
            problem = _problem(row, source=path.stem, where=place)
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


def _problem(row: Row | ProblemSetError, *, source: str, where: str) -> Problem:
    if isinstance(row, ProblemSetError):
        raise ProblemSetError(f"{where}: {row}")
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
