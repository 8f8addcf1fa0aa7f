"""What a report says of the precision of its accuracies."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from fdd.agents.statistics import clustered, visible_loss
from fdd.commands.console import show_result
from fdd.reporting.results import precise
from fdd.storage.records import DecisionRecord
from fdd.storage.store import Store
from fdd.storage.summary import EvaluationSummary, Summary
from tests.reporting.runs import add_evaluation, answer, evaluation_problem, new_run

NONE: list[int | None] = [None] * 60
SOME: list[int | None] = [100 + n if n % 20 < 10 and n % 3 else None for n in range(60)]
"""Right answers to problems of ten of twenty templates."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A set of twenty templates and one without any; a round that is compared with the one before."""
    store = new_run(tmp_path / "run")
    for round, answers in enumerate((NONE, SOME, SOME), -1):
        add_evaluation(store, round, {"dev": answers, "in-domain": answers}, templates=20)
        add_evaluation(store, -1 if round < 0 else round, {"exam": [100, None]})
    store.add(
        [
            DecisionRecord(round=0, against=-1, n=60, gained=20, lost=0, p=0.01, kept=True),
            DecisionRecord(round=1, against=0, n=60, gained=0, lost=0, p=1.0, kept=True),
        ]
    )
    return store


def summary_of(store: Store) -> Summary:
    return precise(store, store.summary())


def entry(summary: Summary, round: int, name: str) -> EvaluationSummary:
    evaluations = summary["baseline"]["evaluations"] if round < 0 else summary["rounds"][round]["evaluations"]
    return next(each for each in evaluations if each["name"] == name)


def test_a_set_with_templates_has_an_interval_over_templates(store: Store) -> None:
    right = [sum(value is not None for value in SOME[first::20]) for first in range(20)]
    expected = clustered([(each, 3) for each in right])
    found = entry(summary_of(store), 0, "in-domain")
    assert found["by_template"] == {"templates": 20, "low": expected.low, "high": expected.high}
    assert expected.high - expected.low > found["high"] - found["low"]


def test_a_set_without_templates_has_only_the_interval_over_problems(store: Store) -> None:
    assert "by_template" not in entry(summary_of(store), 0, "exam")


def test_a_set_in_which_one_problem_has_no_template_has_none_either(store: Store) -> None:
    other = evaluation_problem("in-domain", 99)
    store.add([other, answer(other, 199, 0, "in-domain")])
    assert "by_template" not in entry(summary_of(store), 0, "in-domain")


def test_no_right_answer_of_the_untaught_student_counts_templates(store: Store) -> None:
    found = entry(summary_of(store), -1, "in-domain")["by_template"]
    assert found["high"] == pytest.approx(0.1611, abs=1e-4)


def test_each_decision_says_which_loss_it_sees(store: Store) -> None:
    decisions = [row["decision"] for row in summary_of(store)["rounds"]]
    right = sum(value is not None for value in SOME)
    assert [each and each["visible_loss"] for each in decisions] == [None, visible_loss(60, right / 60)]


def test_the_terminal_says_the_units_and_what_the_dev_set_sees_in_80_columns(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    show_result(Console(width=80, highlight=False, soft_wrap=True), Path("run"), summary_of(store))
    printed = capsys.readouterr().out
    assert "templates (instances): dev 20 (60), in-domain 20 (60)\n" in printed
    assert "undo      60 dev problems see a loss of 17.5 points or more (power 80 %)\n" in printed
    assert "not adjusted" in printed
    assert "on average too high" in printed
    assert max(len(line) for line in printed.splitlines() if "templates are taught" not in line) <= 80
