"""`compare` as a person meets it."""

import json
from pathlib import Path

import pytest

from fdd.main import main
from fdd.reporting.comparison import MOST_FLIPS
from tests.reporting.runs import HOSTILE, add_evaluation, new_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Of twenty problems the second student gains twelve; in the other set no problem is shared."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for number, folder in enumerate(folders):
        store = new_run(folder, seed=number, thoughts="pot,cot" if number else "pot")
        right = range(100, 120) if number else range(100, 108)
        dev = [value if value in right else None for value in range(100, 120)]
        add_evaluation(store, 0, {"dev": dev})
        add_evaluation(store, 0, {HOSTILE[:9]: [100, 9]}, wording=f" {number} {HOSTILE}")
    return [str(folder) for folder in folders]


def test_compare_shows_what_differs(runs: list[str], capsys: Captured) -> None:
    assert main(["compare", *runs]) == 0
    printed = capsys.readouterr().out
    assert "  problems.seed   0  ->  1\n" in printed
    assert "  thoughts        pot  ->  pot,cot\n" in printed
    assert "dev: 40.0 % [21.9, 61.3] of 20  ->  100.0 % [83.9, 100.0] of 20" in printed
    assert "of 20 problems 8 right both times, 12 gained, 0 lost; p = 0.00049" in printed
    assert f"{HOSTILE[:9]}: 50.0 %" in printed
    assert "no problem is in both runs (2 and 2 asked)" in printed
    assert "not how much another draw of what is taught would change" in " ".join(printed.split())
    assert "the test sets decide nothing" in printed
    assert printed.count("  + none -> ") == MOST_FLIPS
    assert "and 2 more; --json has them all" in printed


def test_compare_gives_a_script_every_flip(runs: list[str], capsys: Captured) -> None:
    assert main(["compare", *runs, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [len(each["flipped"]) for each in found["evaluations"]] == [0, 12]


def test_text_of_a_run_cannot_steer_the_terminal(tmp_path: Path, capsys: Captured) -> None:
    for name, value in (("one", 100), ("two", None)):
        add_evaluation(new_run(tmp_path / name), 0, {"dev": [value]}, wording=f" [red]{HOSTILE[-60:]}")
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    printed = capsys.readouterr().out
    assert "[red]" in printed
    assert not {"\x1b", "\u202e", "\u200f"} & set(printed)


def test_wrong_input_is_one_line(runs: list[str], tmp_path: Path, capsys: Captured) -> None:
    for arguments in (["compare", runs[0], str(tmp_path)], ["compare", *runs, "--round", "7"]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert len(error.splitlines()) == 1


def test_compare_names_the_unit_of_each_interval_and_test(tmp_path: Path, capsys: Captured) -> None:
    for name, right in (("one", 4), ("two", 12)):
        dev = [100 + n if n < right else None for n in range(20)]
        add_evaluation(new_run(tmp_path / name), 0, {"dev": dev}, templates=10)
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    printed = capsys.readouterr().out
    assert "  over 10 templates [5.7, 51.0]  ->  over 10 templates [38.7, 78.1]\n" in printed
    assert "8 gained, 0 lost; p = 0.0078, by template p = 0.0078\n" in printed
    assert "what other templates might have given" in printed
