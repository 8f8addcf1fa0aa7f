"""`report` as a person meets it."""

import json
from pathlib import Path

import pytest

from fdd.commands.console import evaluation_command
from fdd.main import main
from fdd.settings import load_settings
from tests.reporting.runs import full_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_run(tmp_path_factory.mktemp("runs") / "one").path.parent


def test_report_writes_a_page_and_says_where(run: Path, capsys: Captured) -> None:
    assert main(["report", str(run)]) == 0
    assert f"page      {run / 'report.html'}\n" in capsys.readouterr().out
    page = (run / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")


def test_report_says_how_many_answers_had_the_form_that_is_taught(run: Path, capsys: Captured) -> None:
    assert main(["report", str(run), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert 0 < summary["baseline"]["evaluations"][0]["form"] < 1
    last = {entry["name"]: entry["form"] for entry in summary["rounds"][-1]["evaluations"]}
    assert main(["report", str(run)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("form "))
    assert f"dev {100 * last['dev']:.1f} %" in line


def test_with_json_a_script_reads_nothing_else_and_nothing_is_written(run: Path, capsys: Captured) -> None:
    before = set(run.iterdir())
    assert main(["report", str(run), "--json"]) == 0
    captured = capsys.readouterr()
    decision = json.loads(captured.out)["rounds"][0]["decision"]
    assert (decision["kept"], decision["visible_loss"]) == (True, None)
    assert captured.err == ""
    assert set(run.iterdir()) == before


def test_pictures_are_written_as_svg_and_png(run: Path, tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "new" / "figures"
    assert main(["report", str(run), "--figures", str(folder)]) == 0
    assert f"pictures  {folder}\n" in capsys.readouterr().out
    names = {each.name for each in folder.iterdir()}
    stems = {"accuracy", "bands", "growth", "solve-rates", "yield"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png")}


def test_pictures_without_a_place_are_refused_in_one_line(
    run: Path, tmp_path: Path, capsys: Captured
) -> None:
    (run / "report.html").unlink(missing_ok=True)
    (tmp_path / "file").write_text("")
    assert main(["report", str(run), "--figures", str(tmp_path / "file")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: cannot write pictures into ")
    assert len(captured.err.splitlines()) == 1
    assert not (run / "report.html").exists()


def test_where_no_page_can_be_written_the_table_is_shown_all_the_same(run: Path, capsys: Captured) -> None:
    (run / "report.html").unlink(missing_ok=True)
    (run / "report.html").mkdir()
    assert main(["report", str(run)]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("Accuracy by round")
    assert captured.err.startswith("error: cannot write the page ")
    assert len(captured.err.splitlines()) == 1
    (run / "report.html").rmdir()
    assert [each.name for each in run.iterdir()] == ["fdd.duckdb"]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, ""),
        ({"thoughts": "pot,eot", "policy": "fallback"}, " --thoughts pot,eot --policy fallback"),
        ({"problems.name": "mine.jsonl", "problems.test": "my exam.jsonl"}, " --problems 'my exam.jsonl'"),
    ],
)
def test_the_student_is_to_be_asked_as_it_was_taught(given: dict[str, str], options: str) -> None:
    settings = load_settings({"rounds": "1", **given}, environment={})
    expected = f"python main.py evaluate runs/mine/student{options}"
    assert evaluation_command(Path("runs/mine/student"), settings) == expected
