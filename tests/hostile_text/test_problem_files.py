"""A problem file of any bytes is read, or refused with one line that names the line and what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.domain import MAX_TEXT, Problem
from fdd.errors import ProblemSetError, one_line
from fdd.main import main
from fdd.problems.jsonl import make_problem, read_jsonl
from fdd.rundir.delivery import as_row, json_line
from fdd.storage.records import ProblemRecord
from fdd.storage.store import Lesson, Store
from tests.hostile_text.strategies import bounded
from tests.hostile_text.texts import INJECTIONS, TERMINAL
from tests.storage.samples import RUN, rationale

GOOD = {"question": "What is 1 + 1?", "answer": "It is 2.\n#### 2"}
ROW = json.dumps(GOOD)
KEPT = {**INJECTIONS, **{name: text for name, text in TERMINAL.items() if "\ud800" not in text}}
"""Strange, but text: problems may have it."""

REFUSED = {
    "a long question": (json.dumps({**GOOD, "question": "7" * 10_000_000}), "'question' has 10,000,000 char"),
    "a long answer": (json.dumps({**GOOD, "answer": "7" * 20_000}), "'answer' has 20,000 char"),
    "a deep line": ("[" * 600 + "]" * 600, r"not a JSON object but \[\["),
    "a deep question": ('{"question": ' + "[" * 600 + "]" * 600 + "}", r"'question' is not text but \[\["),
    "a line too deep": ('{"a":' * 100_000, "not JSON that can be read"),
    "a wide question": (json.dumps({"question": [[0] * 9] * 999}), "'question' is not text but"),
    "a huge number": ('{"question": ' + "9" * 5000 + "}", "not JSON that can be read: .*5000 digits"),
    "an infinite number": ('{"question": 1e999999999}', "'question' is not text but inf"),
    "no number": ('{"question": NaN}', "'question' is not text but nan"),
    "a lone surrogate": (
        '{"question": "\\ud83d", "answer": "#### 2"}',
        r"a lone surrogate \(invalid Unicode\): '\\ud83d'",
    ),
    "a bare NUL": ('{"question": "a\0b"}', "not JSON at column 16"),
    "an answer in another script": (json.dumps({**GOOD, "answer": "#### ٣"}), "which is no number"),
    "an answer that steers": (json.dumps({**GOOD, "answer": "#### \x1b[2J"}), r"ends in '\\x1b\[2J'"),
}


def write(folder: Path, *lines: str) -> Path:
    path = folder / "set.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def strange(text: str) -> Problem:
    return make_problem(f"1{text}2", GOOD["answer"], source="tests", where="here")


def complaint(path: Path) -> str:
    with pytest.raises(ProblemSetError) as caught:
        read_jsonl(path)
    return str(caught.value)


@pytest.mark.parametrize(("line", "message"), REFUSED.values(), ids=REFUSED)
def test_a_line_that_cannot_be_used_is_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemSetError, match=f"line 2: .*{message}") as caught:
        read_jsonl(write(tmp_path, ROW, line))
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [line for line, _ in REFUSED.values()], ids=REFUSED)
def test_a_run_on_such_a_file_ends_with_that_line_and_leaves_nothing(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    path = write(tmp_path, ROW, line)
    given = ["--rounds", "1", "--student", "tiny", "--problems", str(path), "--run-dir", str(run)]
    assert main([*given, "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}, line 2: ")
    assert error.count("\n") == 1
    assert all(c.isprintable() for c in error.rstrip("\n"))
    assert not run.exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_named_in_its_first_line(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(json.dumps({**GOOD, "question": "à?"}, ensure_ascii=False).encode(encoding))
    assert ", line 1: not " in complaint(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "", "\n\n \n"])
def test_any_end_of_a_line_will_do(end: str, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + (ROW + "\r\n" + ROW + end).encode())
    assert [problem.answer for problem in read_jsonl(path)] == [2, 2]


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_strange_text_is_kept_as_it_is(text: str, tmp_path: Path) -> None:
    question = f"1{text}2"
    (problem,) = read_jsonl(write(tmp_path, json.dumps({**GOOD, "question": question})))
    assert problem.question == question


def test_strange_text_comes_back_from_the_database(tmp_path: Path) -> None:
    stored = [ProblemRecord.of(strange(text), split="seed") for text in KEPT.values()]
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add(stored)
    assert store.problems() == sorted(stored, key=lambda problem: problem.id)
    assert store.verify() == []


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_strange_text_stands_in_one_plain_line_of_the_data_set(text: str) -> None:
    stored = ProblemRecord.of(strange(text), split="seed")
    line = json_line(as_row(Lesson(stored, rationale(stored))))
    assert json.loads(line)["question"] == stored.question
    assert line.isprintable()


def test_the_longest_question_allowed_is_read(tmp_path: Path) -> None:
    (problem,) = read_jsonl(write(tmp_path, json.dumps({**GOOD, "question": "7" * MAX_TEXT})))
    assert len(problem.question) == MAX_TEXT


@bounded
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused_with_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    assert re.search(r", (?:line|item) |is empty|damaged gzip|Parquet", text := complaint(path))
    assert len(one_line(text)) < 500


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50).filter(str.strip)


@bounded
@given(question=TEXT, solution=TEXT, answer=st.integers(-(10**20), 10**20))
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, question: str, solution: str, answer: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    row = {"question": question, "answer": f"{solution}\n#### {answer}"}
    problems: list[Problem] = read_jsonl(write(folder, json.dumps(row, ensure_ascii=False)))
    assert [problem.question for problem in problems] == [question.strip()]
    assert [problem.answer for problem in problems] == [answer]
    assert [problem.solution for problem in problems] == [solution.strip()]
