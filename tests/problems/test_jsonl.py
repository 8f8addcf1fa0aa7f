"""Files in GSM8K's format: what is read, and what is said about what cannot be."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fdd.agents.thoughts.cot import read_answer
from fdd.amounts import parse_number, parse_reference
from fdd.errors import ProblemSetError
from fdd.problems.jsonl import read_jsonl

GOOD = {"question": "What is 1 + 1?", "answer": "It is <<1+1=2>>2.\n#### 2"}


def write(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "set.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", Fraction(18)),
        (" -3 ", Fraction(-3)),
        ("−3", Fraction(-3)),
        ("1,234,567", Fraction(1234567)),
        ("$1,200.50", Fraction(2401, 2)),
        ("-$5", Fraction(-5)),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        ("3/4", Fraction(3, 4)),
        ("3 1/2", Fraction(7, 2)),
        ("-3 1/2", Fraction(-7, 2)),
        ("25%", Fraction(25)),
        ("25 %", Fraction(25)),
        ("$ 25", Fraction(25)),
        ("25 €", Fraction(25)),
        ("25.", Fraction(25)),
        ("44.0", Fraction(44)),
        ("0.6666666666666666", Fraction(2, 3)),
        ("$3,244,047.0999999996", Fraction("3244047.1")),
        ("", None),
        ("ten", None),
        ("1/0", None),
        ("1 1/0", None),
        ("3, 4", None),
        ("12 50", None),
        ("1,5", None),
        ("0,500", None),
        ("3 10/3", None),
        ("3 3/3", None),
        ("₺9", Fraction(9)),
        ("Rs. 600", Fraction(600)),
        ("-R$5", Fraction(-5)),
        ("20 zł", Fraction(20)),
        ("CHF 1,200", Fraction(1200)),
        ("1,2345", None),
        ("1,234,5", None),
        ("3 5", None),
        ("3 0.5", None),
        ("5€50", None),
        ("1e5", None),
        ("1e999999999", None),
        ("nan", None),
        ("٣", None),
        ("9" * 5000, None),
    ],
)
def test_a_number_is_read_exactly_or_not_at_all(text: str, value: Fraction | None) -> None:
    assert parse_number(text) == value
    assert read_answer(f"The answer is {text.strip()}.") == (None if text.endswith(".") else value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.6666666666666666", Fraction(2, 3)),
        ("10.333333333333334", Fraction(31, 3)),
        ("3244047.0999999996", Fraction("3244047.1")),
        ("$-0.30000000000000004", Fraction("-0.3")),
        ("2.0107e-06", Fraction("0.0000020107")),
        ("1e+16", Fraction(10**16)),
        ("1e31", None),
        ("$25$", Fraction(25)),
        ("0.67", Fraction("0.67")),
        ("0,500", None),
        ("3 10/3", None),
    ],
)
def test_a_reference_is_read_as_what_a_program_computes(text: str, value: Fraction | None) -> None:
    assert parse_reference(text) == value


def test_a_row_becomes_a_problem_with_its_solution_and_calculator_marks(tmp_path: Path) -> None:
    (problem,) = read_jsonl(write(tmp_path, GOOD))
    assert problem.question == "What is 1 + 1?"
    assert problem.answer == 2
    assert problem.solution == "It is <<1+1=2>>2."
    assert problem.source == "set"


def test_an_answer_without_a_solution_will_do(tmp_path: Path) -> None:
    (problem,) = read_jsonl(write(tmp_path, {**GOOD, "answer": "#### 51", "id": 7}))
    assert problem.answer == 51
    assert problem.solution == ""


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    row = json.dumps(GOOD).encode()
    path.write_bytes(b"\xef\xbb\xbf" + row + b"\r\n\r\n" + row)
    assert len(read_jsonl(path)) == 2


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: not JSON at column 2"),
        ("[" * 100_000, "line 2: not JSON that can be read"),
        ('{"n": ' + "9" * 5000 + "}", "line 2: not JSON that can be read"),
        ([1, 2], r"line 2: not a JSON object but \[1, 2\]"),
        ({"answer": "#### 2"}, "line 2: field 'question' is missing"),
        ({**GOOD, "question": None}, "line 2: field 'question' is missing"),
        ({**GOOD, "question": "  "}, "line 2: field 'question' is empty"),
        ({**GOOD, "question": 5}, "line 2: field 'question' is not text but 5"),
        ({**GOOD, "question": "\ud83d"}, "line 2: field 'question' contains a lone surrogate"),
        ({"question": "?"}, "line 2: field 'answer' is missing"),
        ({**GOOD, "answer": ""}, "line 2: field 'answer' is empty"),
        ({**GOOD, "answer": "two"}, "line 2: field 'answer' has no final line `#### N`: 'two'"),
        ({**GOOD, "answer": "#### two"}, "line 2: field 'answer' ends in 'two', which is no number"),
        ({**GOOD, "answer": "#### 3, 4"}, "line 2: field 'answer' ends in '3, 4', which is no number"),
        ({**GOOD, "answer": "2 ####"}, "line 2: field 'answer' ends in '', which is no number"),
    ],
)
def test_a_malformed_line_is_named_with_its_field(tmp_path: Path, line: object, complaint: str) -> None:
    with pytest.raises(ProblemSetError, match=complaint) as caught:
        read_jsonl(write(tmp_path, GOOD, line))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_bad_utf_8_is_named_with_its_line_and_byte(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + b'{"question": "\xff"}\n')
    with pytest.raises(ProblemSetError, match="line 2: not UTF-8 at byte 15"):
        read_jsonl(path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProblemSetError, match="is empty"):
        read_jsonl(write(tmp_path, ""))


def test_a_missing_file_is_an_error_that_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ProblemSetError, match=r"there is no problem file .* give `gsm-symbolic`, `gsm8k`"):
        read_jsonl(tmp_path / "none.jsonl")


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProblemSetError, match="Is a directory"):
        read_jsonl(tmp_path)


def array(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "set.json"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 4])
def test_a_json_array_is_read(tmp_path: Path, indent: int | None) -> None:
    rows = [GOOD, {**GOOD, "question": "And 2?"}]
    assert len(read_jsonl(array(tmp_path, json.dumps(rows, indent=indent)))) == 2


@pytest.mark.parametrize(
    "text", ["\n".join(map(json.dumps, [GOOD, GOOD])), json.dumps([GOOD, GOOD], indent=1)]
)
def test_a_gzipped_file_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert [problem.answer for problem in read_jsonl(path)] == [2, 2]


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    pq.write_table(pa.table({name: [text] for name, text in GOOD.items()}), path)
    assert [problem.answer for problem in read_jsonl(path)] == [2]


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("set.parquet", b"PAR1\x15\x00 PAR1", "is no whole Parquet file: "),
        ("set.parquet", b"PAR1", "is no whole Parquet file: "),
        ("set.parquet", b'{"question": "?"}', "is no whole Parquet file: "),
        ("set.jsonl.gz", gzip.compress(b"[]", mtime=0)[:-9], "is damaged gzip: "),
        ("set.json.gz", b"\x1f\x8bno", "is damaged gzip: "),
        ("set.json", b"[]", "is empty"),
        ("set.json", b'[\n{"question": 1,}\n]', "line 2: not JSON at column 16: .* begins as a JSON array"),
        ("set.json", b"[1]", r"item 1: not a JSON object but 1"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, name: str, data: bytes, complaint: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ProblemSetError, match=complaint) as caught:
        read_jsonl(path)
    assert "\n" not in str(caught.value)


def test_all_bad_lines_are_counted_and_the_first_are_told(tmp_path: Path) -> None:
    bad = [{**GOOD, "answer": f"#### 12:0{minute}"} for minute in range(6)]
    with pytest.raises(ProblemSetError) as caught:
        read_jsonl(write(tmp_path, GOOD, *bad))
    told = str(caught.value)
    assert [f"line {number}" in told for number in range(1, 8)] == [False, True, True, True, *[False] * 3]
    assert told.endswith("; 3 more rows cannot be used")


@pytest.mark.parametrize(
    "row",
    [
        {"input": "1 + 1?", "target": 2.0},
        {"problem": "1 + 1?", "answer": "2"},
        {"Body": "1 + 1", "Answer": 2},
    ],
)
def test_a_row_without_the_fields_is_told_which_it_has(tmp_path: Path, row: dict[str, object]) -> None:
    with pytest.raises(
        ProblemSetError, match="line 1: field 'question' is missing; the fields are "
    ) as caught:
        read_jsonl(write(tmp_path, row))
    assert all(repr(key) in str(caught.value) for key in row)
    assert "rename them to 'question', and 'answer'" in str(caught.value)


def test_a_question_that_stands_there_with_two_answers_is_refused(tmp_path: Path) -> None:
    other = {"question": " what is 1 + 1? ", "answer": "#### 3"}
    with pytest.raises(
        ProblemSetError, match="line 3: the question of line 1 again, but with the answer 3 inst"
    ):
        read_jsonl(write(tmp_path, GOOD, GOOD, other))


@pytest.mark.parametrize("answer", ["0.12345678901234567", "1/99991"])
def test_an_answer_that_no_program_computes_exactly_is_refused(tmp_path: Path, answer: str) -> None:
    with pytest.raises(ProblemSetError, match=f"line 1: field 'answer' ends in '{answer}', which no program"):
        read_jsonl(write(tmp_path, {**GOOD, "answer": f"#### {answer}"}))
