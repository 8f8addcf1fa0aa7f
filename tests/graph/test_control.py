"""Controls: they teach as much as their run, are asked the same sets, and leave its feedback out."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count, islice, permutations
from pathlib import Path

import pytest

from fdd.agents.statistics import wilson
from fdd.errors import ProblemSetError, StoppedError, UsageError
from fdd.graph.run import create, resume, start
from fdd.rundir.control import budget_of, control_of
from fdd.settings import load_settings
from fdd.storage.folder import open_store
from fdd.storage.records import TAUGHT_SPLITS, DecisionRecord, EvaluationRecord
from fdd.storage.tracing import is_finished
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder, rows
from tests.reporting.runs import new_run
from tests.storage.samples import ROUND


@pytest.fixture(scope="module")
def control(finished: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The control with seeds in place of children, of a finished run."""
    folder, recorder = tmp_path_factory.mktemp("controls") / "seeds", Recorder()
    state = start(control_of(finished, "seeds"), folder, recorder, cache=cache)
    assert recorder.phases == [
        "seed",
        "teach",
        "baseline",
        "fine_tune",
        "refine",
        "evaluate",
        "test",
        "report",
    ]
    assert (state.round, state.added) == (0, 0)
    return folder


def taught(folder: Path) -> set[str]:
    store = open_store(folder)
    last = max(record.round for record in store.rounds())
    return {lesson.problem.id for lesson in store.training_set(round=last)}


def evaluated(folder: Path) -> set[tuple[str, str]]:
    """The evaluation sets, with the ids of their problems."""
    problems = open_store(folder).problems()
    return {(problem.split, problem.id) for problem in problems if problem.split not in TAUGHT_SPLITS}


def test_seeds_take_the_place_of_children(finished: Path, control: Path) -> None:
    store, other = open_store(control), open_store(finished)
    assert budget_of(store, 0) == budget_of(other, 1)
    assert len(taught(control)) == len(taught(finished))
    assert {problem.parent for problem in store.problems(splits=TAUGHT_SPLITS)} == {None}
    assert evaluated(control) == evaluated(finished)
    assert store.verify() == []
    assert store.read(is_finished)


def test_an_interruption_does_not_change_what_is_taught(finished: Path, control: Path, cache: Path) -> None:
    folder, recorder = control.with_name("interrupted"), Recorder()
    with pytest.raises(StoppedError):
        start(
            control_of(finished, "seeds"),
            folder,
            recorder,
            cache=cache,
            should_stop=lambda: recorder.done["teach"] > 0,
        )
    assert 0 < len(open_store(folder).rationales()) < len(open_store(control).rationales())
    resume(folder, Recorder(), cache=cache)
    assert rows(folder) == rows(control)


def test_shuffled_keeps_all_other_settings(finished: Path) -> None:
    assert control_of(finished, "shuffled") == replace(tiny_settings(), operators="shuffled")


def test_a_kind_that_divides_a_budget_needs_one(finished: Path) -> None:
    with pytest.raises(UsageError, match="--kind uniform divides a budget over skills, and the run in"):
        control_of(finished, "uniform")


def test_an_interruption_does_not_change_which_seeds_a_round_is_taught(tmp_path: Path, cache: Path) -> None:
    settings = replace(tiny_settings("weak"), adds="seeds", budget=8)
    start(settings, tmp_path / "whole", Recorder(), cache=cache)
    looks = count()
    with pytest.raises(StoppedError):
        start(settings, tmp_path / "run", Recorder(), cache=cache, should_stop=lambda: next(looks) >= 40)
    resume(tmp_path / "run", Recorder(), cache=cache)
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


@pytest.mark.parametrize(("decay", "steps_made"), [(0, [5, 12, 16]), (0.25, [5, 11, 15])])
def test_a_continued_student_has_the_steps_of_all_kept_rounds(
    tmp_path: Path, decay: float, steps_made: list[int]
) -> None:
    """Steps in which an earlier student's rate fell do not count: training continued from before them."""
    store = new_run(tmp_path / "run", **{"fine_tune.start": "continue", "fine_tune.decay_share": decay})
    for round, steps in enumerate((5, 7, 11)):
        decision = DecisionRecord(
            round=round, against=round - 1, n=1, gained=0, lost=0, p=1.0, kept=round != 1
        )
        store.add(
            [
                replace(ROUND, round=round, steps=steps),
                EvaluationRecord.of(wilson(1, 1), round=round, name="dev"),
                decision,
            ]
        )
    assert [budget_of(store, round).steps for round in (0, 1, 2)] == steps_made


def test_a_run_that_has_not_ended_has_no_control(cache: Path, tmp_path: Path) -> None:
    create(tiny_settings(), tmp_path / "run", cache=cache)
    with pytest.raises(UsageError, match=r"has not ended: go on with it first, `python main.py resume"):
        control_of(tmp_path / "run", "seeds")


def test_a_control_has_no_control(control: Path) -> None:
    with pytest.raises(UsageError, match="no student that feedback has taught"):
        control_of(control, "shuffled")


def test_a_set_that_ends_too_soon_is_named_before_anybody_is_asked(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    words = ("".join(letters) for letters in permutations("abcdef", 4))
    questions = [" ".join(islice(words, 8)) + "?" for _ in range(40)]  # no two are alike
    lines = [
        {"question": each, "answer": f"{n} + 1 = {n + 1}\n#### {n + 1}"} for n, each in enumerate(questions)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    settings = load_settings(
        {"rounds": 0, "student": "tiny", "problems.name": str(file), "device": "cpu"}, environment={}
    )
    with pytest.raises(ProblemSetError, match=r"few\.jsonl' has too few problems: 100 are to be taught"):
        start(replace(settings, taught=100), tmp_path / "run", Recorder(), cache=cache)
    assert not (tmp_path / "run").exists()
