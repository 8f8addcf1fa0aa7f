"""`why`: the life of one problem, in the terminal and for a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdd.main import main
from fdd.storage.folder import open_store
from fdd.storage.life import select_life
from fdd.storage.records import ProblemRecord


def why(folder: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["why", str(folder), *options]) == 0
    return capsys.readouterr().out


def taught_child(folder: Path) -> ProblemRecord:
    store = open_store(folder)
    taught = {lesson.problem.id for lesson in store.training_set(round=1)}
    return next(each for each in store.problems(splits=["generated"]) if each.id in taught)


def test_it_tells_where_a_problem_came_from_and_what_became_of_it(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = taught_child(finished)
    told = why(finished, child.id[:10], capsys=capsys)
    life = open_store(finished).read(select_life, child.id)
    assert life is not None
    parent = life.ancestors[-1]
    assert told.index(parent.id) < told.index(child.id)
    assert f"{child.operator} by symbolic, round 1" in told
    assert f"pot by symbolic: accepted, its value is {child.answer}" in told
    assert "student of round 0: 0 of 1 right in the probe, solve rate 0.33" in told
    assert "It was in the training set of round 1" in told


def test_it_shows_what_the_model_was_asked_that_wrote_the_problem_and_explained_it(
    taught_by_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = taught_child(taught_by_model)
    told = why(taught_by_model, child.id, capsys=capsys)
    life = open_store(taught_by_model).read(select_life, child.id)
    assert life is not None
    transcript = life.transcripts[child.call_id or ""]
    assert "How it was written" in told
    for text in (transcript.reply or "").splitlines():
        assert text.strip() in told
    assert told.count("[user]") >= 2
    assert "openai:teaching: answered," in told


def test_json_has_every_row_about_it(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = taught_child(finished)
    life = json.loads(why(finished, child.id, "--json", capsys=capsys))
    assert life["problem"]["question"] == child.question
    assert life["ancestors"][-1]["id"] == child.parent
    assert {each["reason"] for each in life["rationales"]} >= {"accepted"}
    assert life["taught"] == [1]
    assert life["attempts"][0]["problem_id"] == child.id


def test_a_problem_that_nobody_knows_is_named(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(finished), "p-nowhere"]) == 2
    assert "no problem of this run has an id that begins with 'p-nowhere'" in capsys.readouterr().err
