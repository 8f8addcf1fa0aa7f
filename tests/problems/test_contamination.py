"""Copies of evaluation problems, planted among what is to be taught, are kept out; other problems are not."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.domain import Problem, problem_id
from fdd.matching import exact_form, grams, masked
from fdd.problems.config import ProblemSettings
from fdd.problems.contamination import GSM_SYMBOLIC, SHARE, WORDS, Decontaminator
from fdd.problems.split import ProblemSets, prepare
from tests.problems.leaks import planted, renamed, written_by_hand

BY_HAND = written_by_hand()
SYMBOLIC = ProblemSettings(limit=650, seed=3)
GARDEN = (
    "Lena waters 8 rows of beans and 5 rows of peas. Each row needs 3 liters. How much water does Lena need?"
)


def some_problem(question: str, *, source: str = "set", template: str = "") -> Problem:
    return Problem(
        id=problem_id(question, Fraction(1)),
        question=question,
        answer=Fraction(1),
        solution="",
        source=source,
        template=template,
    )


def guard(*questions: str, name: str = "exam", template: str = "") -> Decontaminator:
    return Decontaminator({name: [some_problem(question, template=template) for question in questions]})


def kind(of: Decontaminator, question: str) -> str | None:
    match = of.match(question)
    return match.kind if match else None


def write_file(path: Path, questions: Sequence[str]) -> Path:
    rows = (
        {"question": question, "answer": f"1 + 1 = 2\n#### {n}"} for n, question in enumerate(questions, 2)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def symbolic() -> ProblemSets:
    return prepare(SYMBOLIC)


@pytest.fixture(scope="module")
def exam(symbolic: ProblemSets) -> list[str]:
    """100 questions: half of them after GSM8K's templates, the others in our own words."""
    held_out = [problem.question for problem in symbolic.tests["held-out"]]
    return [question for question, _ in BY_HAND] + held_out


@pytest.mark.parametrize(
    ("plant", "least"),
    [
        ("verbatim", 1.0),
        ("renumbered", 1.0),
        ("renamed", 0.97),
        ("renamed, renumbered", 0.97),
        ("extended", 1.0),
        ("paraphrased by rule", 0.98),
    ],
)
def test_planted_copies_are_found(plant: str, least: float, exam: list[str]) -> None:
    copies = planted(exam, plant)
    of = guard(*exam)
    found = [of.match(copy) for _, copy in copies]
    assert len(copies) >= 60
    assert sum(match is not None for match in found) >= least * len(copies)


def test_most_paraphrases_by_a_person_are_found() -> None:
    """They change every sentence; the last quarter is what the method cannot do."""
    of = guard(*(question for question, _ in BY_HAND))
    assert sum(of.match(paraphrase) is not None for _, paraphrase in BY_HAND) >= 30


def test_most_of_them_are_found_with_other_names_too() -> None:
    of = guard(*(question for question, _ in BY_HAND))
    copies = [renamed(paraphrase, random.Random(paraphrase)) for _, paraphrase in BY_HAND]
    assert sum(of.match(copy) is not None for copy in copies) >= 27


def test_a_copy_is_laid_to_the_problem_that_it_was_made_from() -> None:
    of = guard(*(question for question, _ in BY_HAND))
    matches = [(of.match(copy), question) for question, copy in BY_HAND]
    assert [match.problem.question for match, _ in matches if match] == [
        question for match, question in matches if match
    ]


def test_the_index_misses_nothing_that_a_comparison_of_all_pairs_finds(exam: list[str]) -> None:
    runs = {question: grams(masked(question), WORDS) for question in exam}
    copies = [paraphrase for _, paraphrase in BY_HAND] + [copy for _, copy in planted(exam, "renamed")]
    of = guard(*exam)
    for copy in copies:
        mine = grams(masked(copy), WORDS)
        most = max(len(mine & whole) / len(whole) for whole in runs.values())
        match = of.match(copy)
        assert (match.overlap if match else 0) == (most if most >= SHARE else 0)


def test_different_problems_are_no_copies(symbolic: ProblemSets) -> None:
    questions = [question for question, _ in BY_HAND]
    of = guard(*questions)
    assert [seed.question for seed in symbolic.seeds if of.match(seed.question)] == []
    for place, question in enumerate(questions):
        assert guard(*questions[:place], *questions[place + 1 :]).match(question) is None


def test_no_template_is_emptied_by_those_that_are_held_out(symbolic: ProblemSets) -> None:
    counts = Counter(problem.template for problem in symbolic.seeds)
    assert len(counts) == 65
    assert set(counts.values()) == {10}


def test_a_match_tells_the_pair_its_set_its_kind_and_how_much_is_repeated() -> None:
    exact = guard(GARDEN).match(GARDEN.upper())
    assert exact is not None
    assert (exact.kind, exact.name, exact.problem.question, exact.overlap) == ("exact", "exam", GARDEN, 1.0)
    part = guard(GARDEN).match(GARDEN.replace("Each row needs", "Every row takes"))
    assert part is not None
    assert (part.kind, str(part), part.problem.question) == ("overlap", "overlap:exam", GARDEN)
    assert 0.5 < part.overlap < 1


def test_the_problem_that_is_repeated_most_is_named_and_the_first_of_equals() -> None:
    near, far = GARDEN.replace("peas", "leeks"), GARDEN.replace("How much water", "How many liters of water")
    copy = GARDEN.replace("Lena", "Noor")
    match = guard(far, near, GARDEN).match(copy)
    assert match is not None
    assert match.problem.question == GARDEN
    again = guard(GARDEN.replace("Lena", "Omar"), GARDEN).match(copy)
    assert again is not None
    assert again.problem.question == GARDEN.replace("Lena", "Omar")


def test_a_question_of_few_words_is_compared_by_its_form_only() -> None:
    of = guard("What is 2 + 2?")
    assert kind(of, "what is 7 + 8?") == "masked"
    assert kind(of, "What is 2 times 2?") is None


def test_characters_that_nobody_sees_make_no_difference() -> None:
    assert kind(guard(GARDEN), GARDEN.replace("beans", "be\u200ban\u00ads") + "\ufeff") == "exact"


def test_new_numbers_in_a_taught_template_are_no_copy() -> None:
    copy = GARDEN.replace("8", "9").replace("Lena", "Noor")
    for name in ("dev", "in-domain"):
        of = guard(GARDEN, name=name, template="7")
        assert kind(of, GARDEN.lower()) == "exact"
        assert kind(of, copy) is None
    assert kind(guard(GARDEN, name="held-out", template="7"), copy) == "overlap"
    assert kind(guard(GARDEN, name=GSM_SYMBOLIC, template="7"), copy) == "overlap"


def test_a_file_called_like_the_templates_is_compared_in_full() -> None:
    """It once shared their exemption by its name alone."""
    of = Decontaminator({"in-domain": [some_problem(GARDEN, source=GSM_SYMBOLIC)]})
    assert kind(of, GARDEN.replace("8", "9")) == "masked"


def test_a_template_that_a_test_file_holds_is_neither_taught_nor_asked_as_taught(
    symbolic: ProblemSets, tmp_path: Path
) -> None:
    held = {seed.template: seed.question for seed in symbolic.seeds[:3]}
    test = write_file(tmp_path / "exam.jsonl", [*held.values()])
    sets = prepare(replace(SYMBOLIC, limit=130, test=str(test)))
    for problems in (sets.seeds, sets.dev, sets.tests["in-domain"]):
        assert held.keys().isdisjoint(problem.template for problem in problems)
    assert {leak.match.name for leak in sets.leaks} >= {"exam"}


@pytest.fixture
def leaky(tmp_path: Path) -> tuple[ProblemSets, list[str]]:
    """A file with 40 problems of its own and 90 copies of a test file's problems, split for a run."""
    exam = [question for question, _ in BY_HAND]
    copies = [
        copy
        for plant in ("renumbered", "renamed, renumbered", "extended")
        for _, copy in planted(exam, plant)[:30]
    ]
    source = prepare(replace(SYMBOLIC, limit=40, seed=8))
    own = [problem.question for problem in source.seeds]
    mixed = random.Random(0).sample(own + copies, len(own + copies))
    test = write_file(tmp_path / "exam.jsonl", exam)
    return prepare(
        ProblemSettings(name=str(write_file(tmp_path / "own.jsonl", mixed)), test=str(test), test_size=5)
    ), copies


def test_no_planted_copy_gets_among_the_seeds(leaky: tuple[ProblemSets, list[str]]) -> None:
    sets, copies = leaky
    assert sets.seeds
    assert {problem.question for problem in sets.seeds}.isdisjoint(copies)


def test_every_copy_that_was_kept_out_is_told_with_its_pair(leaky: tuple[ProblemSets, list[str]]) -> None:
    sets, _ = leaky
    counts = Counter(str(leak.match) for leak in sets.leaks)
    assert counts == Counter({reason: n for reason, n in sets.removed.items() if ":" in reason})
    assert {"masked:exam", "overlap:exam"} <= counts.keys()
    held = [*sets.dev, *sets.tests["in-domain"], *sets.tests["exam"], *sets.unasked["exam"]]
    assert {leak.match.problem.id for leak in sets.leaks} <= {problem.id for problem in held}


def test_what_a_run_leaves_of_a_test_file_is_not_taught_either(
    leaky: tuple[ProblemSets, list[str]],
) -> None:
    """Only what was asked used to be kept out, although `evaluate` asks a whole file."""
    sets, _ = leaky
    assert (len(sets.tests["exam"]), len(sets.unasked["exam"])) == (5, 35)
    unasked = {problem.id for problem in sets.unasked["exam"]}
    assert {leak.match.problem.id for leak in sets.leaks} & unasked


def test_a_test_file_may_hold_problems_of_our_own_test_set(tmp_path: Path) -> None:
    """A problem in two evaluation sets once broke the run when it was stored."""
    ours = [problem.question for problem in prepare(replace(SYMBOLIC, limit=1)).tests["in-domain"][:8]]
    test = write_file(tmp_path / "ours.jsonl", ours)
    sets = prepare(replace(SYMBOLIC, limit=1, test=str(test), test_size=20))
    asked = [exact_form(problem.question) for problem in (*sets.dev, *sets.tests["in-domain"])]
    assert {exact_form(question) for question in ours}.isdisjoint(asked)
    assert len(sets.tests["ours"]) == 8
