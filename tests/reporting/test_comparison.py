"""Two students side by side, problem by problem."""

from pathlib import Path

import pytest

from fdd.agents.statistics import mcnemar, sign_flip
from fdd.errors import UsageError
from fdd.reporting.comparison import Comparison, SetComparison, compare
from fdd.storage.store import Store
from tests.reporting.runs import add_evaluation, answer, evaluation_problem, new_run

RIGHT = list(range(100, 112))
"""Answers to twelve problems, all right."""


@pytest.fixture
def first(tmp_path: Path) -> Store:
    return new_run(tmp_path / "first", seed=1)


@pytest.fixture
def second(tmp_path: Path) -> Store:
    return new_run(tmp_path / "second", seed=1)


def compared(first: Store, second: Store, round: int | None = None) -> Comparison:
    return compare(first.path.parent, second.path.parent, round=round)


def only(comparison: Comparison) -> SetComparison:
    [found] = comparison["evaluations"]
    return found


def test_the_paired_test_is_over_the_problems_that_flipped(first: Store, second: Store) -> None:
    add_evaluation(first, 0, {"dev": [100, 101, None, 7, *RIGHT[4:]]})
    add_evaluation(second, 0, {"dev": [100, None, 102, 103, *RIGHT[4:10], 110, 8]})
    found = only(compared(first, second))
    assert (found["first"]["correct"], found["second"]["correct"]) == (10, 10)
    assert (found["shared"], found["both"], found["gained"], found["lost"]) == (12, 8, 2, 2)
    assert found["p"] == mcnemar(2, 2)
    flips = {flip["answer"]: (flip["first"], flip["second"], flip["gained"]) for flip in found["flipped"]}
    assert flips == {
        "101": ("101", None, False),
        "102": (None, "102", True),
        "103": ("7", "103", True),
        "111": ("111", "8", False),
    }
    questions = {flip["problem"]: flip["question"] for flip in found["flipped"]}
    assert questions[evaluation_problem("dev", 1).id] == evaluation_problem("dev", 1).question


def test_answers_of_different_backends_are_compared_only_if_that_is_asked_for(
    first: Store, tmp_path: Path
) -> None:
    second = new_run(tmp_path / "second", seed=1, **{"generate.backend": "vllm"})
    with pytest.raises(UsageError, match=r"torch wrote .* vllm those of .* give --across-backends"):
        compared(first, second)
    found = compare(first.path.parent, second.path.parent, across_backends=True)
    assert [each["key"] for each in found["settings"]] == ["generate.backend"]


def test_without_a_shared_problem_nothing_is_paired(first: Store, second: Store) -> None:
    add_evaluation(first, 0, {"dev": [100, 101]})
    add_evaluation(second, 0, {"dev": [100, None]}, wording=" others")
    found = only(compared(first, second))
    assert (found["shared"], found["gained"], found["lost"], found["p"], found["flipped"]) == (
        0,
        0,
        0,
        None,
        [],
    )
    assert (found["first"]["accuracy"], found["second"]["accuracy"]) == (1, 0.5)


def test_only_shared_problems_are_paired(first: Store, second: Store) -> None:
    add_evaluation(first, 0, {"dev": RIGHT})
    add_evaluation(second, 0, {"dev": [None, None, 102]})
    found = only(compared(first, second))
    assert (found["first"]["n"], found["second"]["n"], found["shared"], found["lost"]) == (12, 3, 3, 2)
    assert found["p"] == mcnemar(0, 2)


def test_the_students_are_those_best_on_dev_whatever_the_test_set_says(first: Store, second: Store) -> None:
    add_evaluation(first, 0, {"dev": [100, 101], "exam": [None, None]})
    add_evaluation(first, 1, {"dev": [100, None], "exam": [100, 101]})
    add_evaluation(second, 0, {"dev": [100, 101], "exam": [100, None]})
    found = compared(first, second)
    assert (found["first"]["round"], found["first"]["student"]) == (0, "students/round-0")
    assert [each["gained"] for each in found["evaluations"]] == [0, 1]


def test_a_round_may_be_named_and_must_have_been_evaluated(first: Store, second: Store) -> None:
    for store in (first, second):
        add_evaluation(store, -1, {"dev": [None, 5]})
        add_evaluation(store, 0, {"dev": [100, 101]})
    untaught = compared(first, second, round=-1)
    assert (untaught["first"]["round"], untaught["first"]["student"]) == (-1, "tiny")
    assert only(untaught)["first"]["correct"] == 0
    with pytest.raises(UsageError, match=r"--round 3: .*first.* has evaluated -1, 0"):
        compared(first, second, round=3)


def test_an_answer_counts_as_the_policy_of_its_run_says(tmp_path: Path, first: Store) -> None:
    second = new_run(tmp_path / "fallback", seed=1, thoughts="pot,cot", policy="fallback")
    add_evaluation(first, 0, {"dev": [None, 101]})
    add_evaluation(second, 0, {"dev": [None, 101]})
    second.add([answer(evaluation_problem("dev", n), 100, 0, "dev", thought="cot") for n in (0, 1)])
    found = only(compared(first, second))
    assert [(flip["first"], flip["second"]) for flip in found["flipped"]] == [(None, "100")]


def test_settings_that_differ_are_named_by_their_nested_keys(tmp_path: Path) -> None:
    one = new_run(tmp_path / "one", **{"fine_tune.epochs": 2, "thoughts": "pot"})
    two = new_run(tmp_path / "two", **{"fine_tune.epochs": 3, "thoughts": "pot,cot"})
    assert compared(one, two)["settings"] == [
        {"key": "fine_tune.epochs", "first": 2, "second": 3},
        {"key": "thoughts", "first": ["pot"], "second": ["pot", "cot"]},
    ]
    assert compared(one, one)["settings"] == []


def test_a_run_that_delivered_nothing_is_compared_by_its_settings_alone(first: Store, second: Store) -> None:
    add_evaluation(first, -1, {"dev": [None]})
    add_evaluation(second, 0, {"dev": [100], "exam": [100]})
    found = compared(first, second)
    assert (found["first"]["round"], found["first"]["student"], found["second"]["round"]) == (None, None, 0)
    assert found["evaluations"] == []


def test_sets_that_only_one_run_has_are_named(first: Store, second: Store) -> None:
    add_evaluation(first, 0, {"dev": [100], "exam": [100]})
    add_evaluation(second, 0, {"dev": [100], "mine": [100]})
    found = compared(first, second)
    assert (found["first_only"], found["second_only"]) == (["exam"], ["mine"])
    assert only(found)["name"] == "dev"


def test_problems_of_templates_are_compared_by_template_too(first: Store, second: Store) -> None:
    worse = [None if n % 3 == 0 else each for n, each in enumerate(RIGHT)]
    add_evaluation(first, 0, {"dev": RIGHT}, templates=3)
    add_evaluation(second, 0, {"dev": worse}, templates=3)
    found = only(compared(first, second))
    assert (found["lost"], found["p"]) == (4, mcnemar(0, 4))
    assert found["p_by_template"] == sign_flip([-4, 0, 0]) == 1
    assert (found["first"]["by_template"]["templates"], found["second"]["by_template"]["templates"]) == (3, 3)


def test_problems_without_templates_have_no_test_by_template(first: Store, second: Store) -> None:
    for store in (first, second):
        add_evaluation(store, 0, {"dev": RIGHT})
    assert only(compared(first, second))["p_by_template"] is None
