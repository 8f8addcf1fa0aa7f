"""Values of the command line and of settings files are taken, or refused with one line beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd.errors import StoreError, UsageError
from fdd.graph.run import start
from fdd.main import main
from fdd.settings import Settings, load_settings
from fdd.storage.folder import open_store
from fdd.storage.store import Store
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder
from tests.storage.samples import RUN

VALUES = {
    "a limit that is no number": ("--max-cost", "nan"),
    "a limit without end": ("--max-cost", "inf"),
    "a rate that is no number": ("--learning-rate", "nan"),
    "a time-out without end": ("--call-seconds", "inf"),
    "a seed too large for the database": ("--seed", "9" * 30),
    "a seed too long to be read": ("--seed", "9" * 5000),
    "bytes that are no UTF-8": ("--problems", "set\udcff.jsonl"),
    "a name as long as a book": ("--student", "x" * 100_000),
    "a folder as long as a book": ("--run-dir", "x" * 100_000),
    "a name that steers": ("--student", "\x1b[2J"),
}

FILES = {
    "deep lists": "rounds = " + "[" * 100_000,
    "deep tables": ".".join("a" * 5000) + " = 1",
    "a number too long": "rounds = " + "9" * 5000,
    "NUL in a name": 'rounds = 1\nproblems.name = "a\\u0000b"',
    "a key that steers": '"\\u001b[2J" = 1',
    "a list of lists": "agreement = [[[[[[[[]]]]]]]]",
}


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(c.isprintable() for c in error.rstrip("\n"))
    assert len(error) < 2100
    return error


@pytest.mark.parametrize(("flag", "value"), VALUES.values(), ids=VALUES)
def test_a_value_that_cannot_be_used_is_named_with_its_flag(
    flag: str, value: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--rounds", "1", "--student", "tiny", "--run-dir", str(tmp_path / "run")]
    error = error_of([*given, flag, value], capsys)
    assert flag in error or "unknown model" in error or "give a shorter name" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
@pytest.mark.parametrize("option", ["--config", "--prices"])
def test_a_file_that_cannot_be_used_is_named(
    option: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text)
    given = [
        "--rounds",
        "1",
        "--student",
        "tiny",
        "--teacher",
        "openai:m",
        "--teacher-url",
        "http://localhost",
    ]
    error = error_of([*given, option, str(file), "--dry-run"], capsys)
    assert "file.toml" in error or "--problems" in error or "--agreement" in error


def test_a_run_that_has_a_limit_keeps_one() -> None:
    with pytest.raises(UsageError, match="--max-cost 'nan': input should be greater than or equal to 0"):
        Settings(rounds=1).with_changes({"calls.max_cost": "nan"})


def test_a_run_folder_whose_name_is_no_utf_8_is_refused_before_it_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    with pytest.raises(UsageError, match="is no UTF-8"):
        start(tiny_settings(), folder, Recorder(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["md:x", "sqlite:x", "[red] a b'c\"d;e \x1b[2J\u202e", "-x"])
def test_a_run_folder_of_any_other_name_has_its_database(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    Store.create(Path(name) / "fdd.duckdb", RUN)
    assert open_store(Path(name)).run() == RUN
    assert (tmp_path / name / "fdd.duckdb").is_file()


@pytest.mark.parametrize("stored", [{}, {"rounds": "\x1b[2J"}, {"rounds": [[]]}])
def test_settings_that_somebody_changed_in_the_database_are_refused(stored: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="settings stored with the run"):
        Settings.from_json(stored)


def test_settings_of_any_characters_come_back() -> None:
    settings = load_settings({"rounds": 1, "problems.name": "\u202e\x9b[red]\u2028.jsonl"}, environment={})
    assert Settings.from_json(settings.to_json()) == settings
