"""`control` as a person meets it."""

from pathlib import Path

import pytest

from fdd.graph.run import start
from fdd.main import main
from fdd.reporting.export import CARD, DATA, STUDENT
from fdd.rundir.control import budget_of
from fdd.rundir.listener import UNWATCHED
from fdd.storage.folder import open_store
from fdd.storage.tracing import is_finished
from tests.graph.settings import tiny_settings

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("controlled") / "run"
    start(tiny_settings("weak"), folder, UNWATCHED, cache=cache)
    return folder


def test_a_control_is_run_beside_its_run_and_both_are_compared(run: Path, capsys: Captured) -> None:
    assert main(["control", str(run), "--kind", "repeat"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    compared = printed[printed.index("first ") :]
    ours, control = open_store(run), open_store(run.with_name("run-repeat"))
    lessons = ours.training_set(round=1)
    seeds = {lesson.problem.id for lesson in lessons if lesson.problem.parent is None}
    assert {lesson.problem.id for lesson in control.training_set(round=1)} == seeds
    steps = budget_of(ours, round=1).steps
    for problems in (len(seeds), len({lesson.problem.id for lesson in lessons})):
        assert f"{problems} problems in {steps} steps" in compared
    assert "adds repeat -> written" in compared
    assert "in-domain: 0.0 %" in compared
    assert control.read(is_finished)


def test_a_control_says_of_itself_that_feedback_was_left_out(
    run: Path, capsys: Captured, tmp_path: Path
) -> None:
    folder = tmp_path / "control"
    assert main(["control", str(run), "--kind", "uniform", "--to", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    assert main(["export", str(folder)]) == 0
    for card in (folder / "export" / STUDENT / CARD, folder / "export" / DATA / CARD):
        assert "feedback was left out" in " ".join(card.read_text("utf-8").split())
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
