"""Seeds, dev and test sets: disjoint, balanced, and the same for the same settings."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.domain import Problem
from fdd.errors import ProblemSetError
from fdd.matching import exact_form, masked
from fdd.problems.config import ProblemSettings
from fdd.problems.gsm_symbolic import HELD_OUT_TEMPLATES, GsmSymbolic
from fdd.problems.split import ProblemSets, prepare
from fdd.problems.split import test_sets as sets_to_ask
from tests.problems.made_up import made_up

SYMBOLIC = ProblemSettings(limit=300, seed=3)


def collection(path: Path, count: int, *, first: int = 0) -> Path:
    """A file of problems that differ in more than numbers; every 400th is the first with another number."""
    rows = (
        {"question": f"{made_up(n % 400)} {n}?", "answer": f"#### {n}"} for n in range(first, first + count)
    )
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def forms(problems: Sequence[Problem]) -> set[str]:
    return {exact_form(problem.question) for problem in problems}


@pytest.fixture(scope="module")
def symbolic() -> ProblemSets:
    return prepare(SYMBOLIC)


def test_the_sets_have_the_sizes_asked_for(symbolic: ProblemSets) -> None:
    assert len(symbolic.seeds) == 300
    assert len(symbolic.dev) == 150
    assert {name: len(test) for name, test in symbolic.tests.items()} == {"in-domain": 200, "held-out": 60}
    assert symbolic.removed["malformed"] > 0


def test_seeds_are_balanced_over_the_taught_templates(symbolic: ProblemSets) -> None:
    counts = Counter(problem.template for problem in symbolic.seeds)
    assert len(counts) == 65
    assert set(counts.values()) == {4, 5}


def test_skewed_seeds_follow_zipfs_law_with_one_of_each_template(symbolic: ProblemSets) -> None:
    skewed = prepare(replace(SYMBOLIC, skew=1.0))
    counts = sorted(Counter(problem.template for problem in skewed.seeds).values(), reverse=True)
    assert len(counts) == 65
    assert sum(counts) == 300
    # 235 seeds by 1/rank: the first of 65 ranks has 21 % of them, the second half together 14 %.
    assert 35 <= counts[0] <= 65
    assert sum(counts[32:]) <= 32 + 0.25 * 235
    assert skewed.tests == symbolic.tests


def test_held_out_templates_are_never_taught(symbolic: ProblemSets) -> None:
    held_out = {int(problem.template) for problem in symbolic.tests["held-out"]}
    assert held_out == HELD_OUT_TEMPLATES
    for problems in (symbolic.seeds, symbolic.dev, symbolic.tests["in-domain"]):
        assert not HELD_OUT_TEMPLATES & {int(problem.template) for problem in problems}


def test_no_question_is_in_two_sets_or_twice_in_one(symbolic: ProblemSets) -> None:
    sets = (symbolic.seeds, symbolic.dev, *symbolic.tests.values())
    assert len(set().union(*map(forms, sets))) == sum(map(len, sets))


def test_questions_say_nothing_about_how_to_answer(symbolic: ProblemSets) -> None:
    assert not any("final answer" in problem.question for problem in symbolic.seeds)


def test_solutions_end_before_the_final_line(symbolic: ProblemSets) -> None:
    assert all(problem.solution and "####" not in problem.solution for problem in symbolic.seeds)


def test_the_same_settings_give_the_same_sets_in_another_process(symbolic: ProblemSets) -> None:
    text = (
        "from fdd.problems.split import prepare; from fdd.problems.config import ProblemSettings\n"
        "sets = prepare(ProblemSettings(limit=300, seed=3))\n"
        "print(*(problem.id for problem in (*sets.seeds, *sets.dev, *sets.tests['held-out'])))"
    )
    output = subprocess.run(
        [sys.executable, "-c", text], check=True, capture_output=True, text=True
    ).stdout.split()
    here = (*symbolic.seeds, *symbolic.dev, *symbolic.tests["held-out"])
    assert output == [problem.id for problem in here]


def test_neighbouring_seeds_share_next_to_nothing(symbolic: ProblemSets) -> None:
    other = prepare(replace(SYMBOLIC, seed=4))
    assert len(forms(symbolic.seeds) & forms(other.seeds)) < 5


def test_test_sets_do_not_depend_on_the_number_of_seeds(symbolic: ProblemSets) -> None:
    more = prepare(replace(SYMBOLIC, limit=20))
    assert more.tests == symbolic.tests
    assert more.dev == symbolic.dev


def test_templates_with_few_instances_run_dry_and_the_others_fill_up() -> None:
    sets = prepare(replace(SYMBOLIC, limit=20_000))
    counts = Counter(problem.template for problem in sets.seeds)
    assert sum(counts.values()) == 20_000
    assert counts["53"] < max(counts.values())
    assert sets.removed["duplicate"] > 100
    assert sets.removed["exact:in-domain"] > 0
    assert not forms(sets.seeds) & forms(sets.tests["in-domain"])


def test_a_template_that_gives_nothing_is_replaced_by_one_that_was_not_tried() -> None:
    tried: list[str] = []

    def refuse_the_first(problem: Problem) -> str | None:
        tried.append(problem.template)
        return "unwanted" if problem.template == tried[0] else None

    source = GsmSymbolic(0)
    drawn = source.draw(source.taught[:6], 5, refuse=refuse_the_first, chance=random.Random(0))
    assert {problem.template for problem in drawn} == {*source.taught[:6]} - {tried[0]}


def test_gsm_symbolic_needs_a_limit() -> None:
    with pytest.raises(ProblemSetError, match="has no end"):
        prepare(ProblemSettings())


def test_gsm_symbolic_is_its_own_test_set() -> None:
    with pytest.raises(ProblemSetError, match="comes with its own test set"):
        prepare(replace(SYMBOLIC, test="gsm-symbolic"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (replace(SYMBOLIC, limit=0), "limit"),
        (replace(SYMBOLIC, test_size=0), "test size"),
        (replace(SYMBOLIC, held_out_size=0), "held out size"),
        (replace(SYMBOLIC, dev_size=0), "dev size"),
    ],
)
def test_sizes_are_at_least_one(settings: ProblemSettings, name: str) -> None:
    with pytest.raises(ProblemSetError, match=f"{name} is 0; it must be at least 1"):
        prepare(settings)


@pytest.mark.parametrize("name", ["gsm-symbolic", "gsm8k", "set.jsonl"])
def test_nothing_less_than_one_problem_is_asked(name: str) -> None:
    with pytest.raises(ProblemSetError, match="test size is -5; it must be at least 1"):
        sets_to_ask(name, limit=-5, seed=0)


def test_a_file_is_split_into_disjoint_sets(tmp_path: Path) -> None:
    path = collection(tmp_path / "made_up.jsonl", 400)
    sets = prepare(ProblemSettings(name=str(path), limit=100, test_size=80, dev_size=20))
    assert (len(sets.seeds), len(sets.dev), len(sets.tests["in-domain"])) == (100, 20, 80)
    together = (*sets.seeds, *sets.dev, *sets.tests["in-domain"])
    assert len(forms(together)) == 200
    assert {problem.source for problem in together} == {"made_up"}


@pytest.mark.parametrize(
    ("size", "seeds", "dev"), [(20, 12, 3), (100, 57, 18), (267, 151, 50), (400, 250, 50)]
)
def test_a_small_file_keeps_most_of_its_problems_for_teaching(
    tmp_path: Path, size: int, seeds: int, dev: int
) -> None:
    sets = prepare(ProblemSettings(name=str(collection(tmp_path / "few.jsonl", size))))
    assert (len(sets.seeds), len(sets.dev), len(sets.tests["in-domain"])) == (seeds, dev, size // 4)


def test_two_problems_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(ProblemSetError, match="has too few problems: 1 of 2 go to the test set"):
        prepare(ProblemSettings(name=str(collection(tmp_path / "two.jsonl", 2))))


def test_a_copy_within_a_file_is_taken_once(tmp_path: Path) -> None:
    path = collection(tmp_path / "made_up.jsonl", 40)
    path.write_text(
        path.read_text()
        + "\n"
        + path.read_text().upper().replace("QUESTION", "question").replace("ANSWER", "answer")
    )
    assert prepare(ProblemSettings(name=str(path))).removed == {"duplicate": 40}


def test_copies_of_a_test_problem_with_other_numbers_are_not_taught(tmp_path: Path) -> None:
    path = collection(tmp_path / "made_up.jsonl", 100)
    test = collection(tmp_path / "exam.jsonl", 30, first=400)
    sets = prepare(ProblemSettings(name=str(path), test=str(test)))
    exam = {masked(problem.question) for problem in sets.tests["exam"]}
    assert len(exam) == 30
    assert not exam & {masked(problem.question) for problem in sets.seeds}
    assert 0 < sets.removed["masked:exam"] <= 30


def test_a_test_set_that_overlaps_the_seeds_is_refused(tmp_path: Path) -> None:
    path = collection(tmp_path / "made_up.jsonl", 100)
    test = collection(tmp_path / "exam.jsonl", 30, first=90)
    with pytest.raises(ProblemSetError, match=r"overlaps the seeds: 10 of 30 .* the first is problem 1"):
        prepare(ProblemSettings(name=str(path), test=str(test)))


def test_a_test_file_may_have_the_name_of_one_of_our_sets(tmp_path: Path) -> None:
    test = collection(tmp_path / "dev.jsonl", 30)
    sets = prepare(replace(SYMBOLIC, test=str(test), test_size=10))
    assert {name: len(problems) for name, problems in sets.tests.items()} == {
        "in-domain": 10,
        "held-out": 60,
        "dev-file": 10,
    }
    assert list(sets.evaluation_sets) == ["dev", "in-domain", "held-out", "dev-file"]


def test_gsm_symbolic_can_test_what_another_set_teaches(tmp_path: Path) -> None:
    path = collection(tmp_path / "made_up.jsonl", 100)
    sets = prepare(ProblemSettings(name=str(path), test="gsm-symbolic", test_size=170))
    assert len(Counter(problem.template for problem in sets.tests["gsm-symbolic"])) == 85
