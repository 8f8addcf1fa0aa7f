"""Whatever stands in names, notes and errors, a terminal gets nothing to obey."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fdd.commands.console import RunView, show_evaluations, show_plan, show_result
from fdd.domain import Progress
from fdd.errors import LONGEST_LINE, one_line, printable
from fdd.graph.plan import Expense, Preview
from fdd.main import main
from fdd.storage.records import EvaluationRecord
from fdd.storage.store import Store
from tests.hostile_text.texts import TERMINAL
from tests.storage.samples import RUN

ROOT = Path(__file__).parent.parent.parent
hostile = pytest.mark.parametrize("text", TERMINAL.values(), ids=TERMINAL)


def plain(*, is_terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, color_system=None, width=500)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def is_harmless(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def evaluation(name: str) -> EvaluationRecord:
    return EvaluationRecord(round=0, name=name, n=4, correct=1, low=0.1, high=0.7)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose test sets have every name that a file can have."""
    folder = tmp_path_factory.mktemp("run")
    store = Store.create(folder / "fdd.duckdb", RUN)
    store.add(evaluation(name) for name in [*TERMINAL.values(), "\u2192"] if "\ud800" not in name)
    return folder


@hostile
def test_printable_text_has_nothing_to_obey(text: str) -> None:
    assert is_harmless(printable(text))
    assert len(printable(text)) == len(text)


@hostile
def test_a_notice_is_one_harmless_line_with_its_markup(text: str) -> None:
    console = plain()
    RunView(console).noticed(f"1{text}2")
    assert is_harmless(written(console))
    assert written(console) == f"{printable(f'1{text}2')}\n"


@hostile
def test_a_note_beside_a_bar_stands_there_as_it_is_or_not_at_all(text: str) -> None:
    console = plain(is_terminal=True)
    with RunView(console) as view:
        view.advanced(Progress(round=0, phase="teach", done=1, total=2, note=text))
    assert (text in written(console)) == is_harmless(text.replace("\n", "\0"))


def test_the_table_of_a_run_shows_any_name_of_a_test_set(run: Path) -> None:
    console = plain()
    show_result(console, run, Store.open(run / "fdd.duckdb").summary())
    assert is_harmless(written(console))
    assert written(console).count("25.0 %") == len(TERMINAL)


def test_a_terminal_without_the_characters_of_a_name_gets_them_escaped(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "main.py", "report", str(run)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "400"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u2192" in done.stdout
    assert is_harmless(done.stdout.decode("ascii"))


def test_report_for_scripts_is_ascii(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert is_harmless(printed)


@hostile
def test_evaluations_are_shown_harmlessly(text: str) -> None:
    console = plain()
    show_evaluations(
        console,
        [{"name": text, "n": 4, "correct": 1, "accuracy": 0.25, "low": 0.1, "high": 0.7, "form": 0.5}],
    )
    assert is_harmless(written(console))
    assert "1 of 4 right" in written(console)


@hostile
def test_a_plan_shows_models_and_sets_harmlessly(text: str) -> None:
    console = plain()
    expense = Expense(
        round=0, agent="teacher", model=text, calls=1, prompt_tokens=1, completion_tokens=1, cost_usd=0.0
    )
    show_plan(console, Preview(problems={text: 3}, expenses=(expense,)))
    assert is_harmless(written(console))


@hostile
def test_an_error_is_one_harmless_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", f"no{text}where"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert is_harmless(error)


def test_a_long_value_is_cut_in_its_middle_so_that_the_advice_stays() -> None:
    line = one_line(f"unknown model '{'x' * 100_000}': give a folder")
    assert len(line) < LONGEST_LINE + 10
    assert line.startswith("unknown model 'xxx")
    assert line.endswith("x': give a folder")
