"""Controls: they teach as much as their run, sit the same sets, and leave its feedback out."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from fdd.agents.statistics import wilson
from fdd.domain import Operator
from fdd.errors import ProblemSetError, StoppedError, UsageError
from fdd.graph.run import create, resume, start
from fdd.problems.config import ProblemSettings
from fdd.problems.split import prepare
from fdd.rundir.control import budget_of, control_of
from fdd.settings import load_settings
from fdd.storage.folder import open_store
from fdd.storage.records import DecisionRecord, EvaluationRecord
from tests.graph.settings import tiny_settings
from tests.graph.test_run import Recorder, rows
from tests.reporting.runs import new_run
from tests.storage.samples import ROUND, problem


def test_a_run_of_the_paper_is_controlled_with_the_mean_number_of_its_children(
    tmp_path: Path, cache: Path
) -> None:
    settings = tiny_settings()
    create(settings, tmp_path / "run", cache=cache)
    with pytest.raises(UsageError, match="has written no problem, so there is no budget for a control"):
        control_of(tmp_path / "run", "seeds")
    assert control_of(tmp_path / "run", "shuffled") == replace(settings, operators="shuffled")
    store = open_store(tmp_path / "run")
    children = [
        problem(f"{n} and 1?", split="generated", parent="p", operator=Operator.HARDER) for n in range(7)
    ]
    store.add(children)
    made = control_of(tmp_path / "run", "seeds")
    assert (made.allocation, made.budget, made.adds) == ("uniform", 7, "seeds")


def test_an_interruption_does_not_change_which_seeds_are_taught(tmp_path: Path, cache: Path) -> None:
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


def test_a_file_with_too_few_problems_for_the_control_with_seeds_says_so(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    problems = prepare(ProblemSettings(limit=40, test_size=1, held_out_size=1, dev_size=1)).seeds
    lines = [
        {"question": each.question, "answer": f"{each.solution}\n#### {each.answer}"} for each in problems
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    given = {"rounds": 1, "student": "tiny", "problems.name": str(file), "adds": "seeds", "device": "cpu"}
    with pytest.raises(ProblemSetError, match=r"few\.jsonl' has too few problems: "):
        start(load_settings(given, environment={}), tmp_path / "run", Recorder(), cache=cache)
