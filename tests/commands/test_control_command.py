"""`control` as a person meets it."""

from pathlib import Path

import pytest

from fdd.main import main
from fdd.reporting.export import CARD, DATA, STUDENT
from fdd.rundir.control import budget_of
from fdd.storage.folder import open_store
from fdd.storage.tracing import is_finished

Captured = pytest.CaptureFixture[str]


def test_a_control_is_run_beside_its_run_and_both_are_compared(finished: Path, capsys: Captured) -> None:
    assert main(["control", str(finished), "--kind", "repeat"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    compared = printed[printed.index("first ") :]
    run, control = open_store(finished), open_store(finished.with_name("run-repeat"))
    lessons = run.training_set(round=1)
    seeds = {lesson.problem.id for lesson in lessons if lesson.problem.parent is None}
    assert {lesson.problem.id for lesson in control.training_set(round=0)} == seeds
    steps = budget_of(run, round=1).steps
    assert control.rounds()[0].steps == steps
    for problems in (len(seeds), len({lesson.problem.id for lesson in lessons})):
        assert f"{problems} problems in {steps} steps" in compared
    assert "rounds 0 -> 1" in compared
    assert "in-domain: 0.0 %" in compared
    assert control.read(is_finished)


def test_a_control_says_of_itself_that_feedback_was_left_out(
    finished: Path, capsys: Captured, tmp_path: Path
) -> None:
    folder = tmp_path / "control"
    assert main(["control", str(finished), "--to", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    assert main(["export", str(folder)]) == 0
    for card in (folder / "export" / STUDENT / CARD, folder / "export" / DATA / CARD):
        text = card.read_text("utf-8")
        assert "feedback was left out" in text
        assert "epochs" not in text
    assert "0 rounds of feedback" in (folder / "report.html").read_text("utf-8")
    assert not capsys.readouterr().err


def test_a_dry_run_asks_nobody_and_leaves_nothing(finished: Path, capsys: Captured, tmp_path: Path) -> None:
    folder = tmp_path / "control"
    assert main(["control", str(finished), "--kind", "repeat", "--to", str(folder), "--dry-run"]) == 0
    assert "seeds of round 0" in capsys.readouterr().out
    assert not folder.exists()


def test_wrong_input_is_one_line(finished: Path, capsys: Captured, tmp_path: Path) -> None:
    for arguments in (
        ["control", str(tmp_path)],
        ["control", str(finished), "--kind", "magic"],
        ["control", str(finished), "--to", str(finished)],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert len(error.splitlines()) == 1
