"""What is taught must show how its answer follows from the numbers of its question."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest

from fdd.agents.teacher import SymbolicTeacher
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Reason, Verdict, problem_id
from fdd.problems.split import test_sets as draw_sets
from tests.agents.symbolic.parents import PARENTS


def make_problem(question: str, solution: str, answer: int) -> Problem:
    value = Fraction(answer)
    return Problem(
        id=problem_id(question, value), question=question, answer=value, solution=solution, source="test"
    )


CLIPS = make_problem(
    "Natalia sold clips to 48 of her friends in April, and then half as many in May. How many clips did she "
    "sell altogether?",
    "She sold 48/2 = <<48/2=24>>24 clips in May.\nShe sold 48+24 = <<48+24=72>>72 clips altogether.",
    72,
)
ROLLS = make_problem(
    "A baker bakes 14 trays with 25 rolls each and sells 230 rolls. How many rolls are left?",
    "He bakes 14*25 = <<14*25=350>>350 rolls.\nHe has 350-230 = <<350-230=120>>120 left.",
    120,
)
COAT = make_problem(
    "A coat costs $80. It is sold with a discount of 35%. How much does the coat cost now?",
    "The discount is 80*.35 = $<<80*.35=28>>28.\nIt costs 80-28 = $<<80-28=52>>52.",
    52,
)
MARBLES = make_problem(
    "Tom has 15 marbles and wins 15 more. Then he buys 7 bags with 12 marbles each. How many has he?",
    "He has 15+15 = <<15+15=30>>30.\nThe bags hold 7*12 = <<7*12=84>>84.\nTogether 30+84 = <<30+84=114>>114",
    114,
)
CLASS = make_problem(
    "Of the 30 students in a class 12 are boys and 18 are girls. Each of the girls has 14 pens. How many "
    "pens have they?",
    "There are 30-12 = <<30-12=18>>18 girls.\nThey have 18*14 = <<18*14=252>>252 pens.",
    252,
)
"""Tells the number of girls twice."""
UNSOLVED = make_problem(CLIPS.question, "", 72)
"""Nobody can renumber it: its derivation is not known."""


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


@pytest.mark.parametrize("problem", [CLIPS, UNSOLVED])
@pytest.mark.parametrize(
    ("thought", "text"),
    [
        ("pot", "answer = 72"),
        ("pot", "a = 72\nanswer = a"),
        ("pot", "a = 70\na = 72\nanswer = a + 0"),
        ("pot", "answer = 71 + 1"),
        ("pot", "answer = 144 / 2"),
        ("pot", "april = 48\nanswer = april * 0 + 72"),
        ("eot", "x = 72\nsolve for x"),
        ("eot", "y = 72\nx = y\nsolve for x"),
        ("eot", "2 * x = 144\nsolve for x"),
        ("eot", "x - 72 = 48 - 48\nsolve for x"),
        ("cot", "The answer is 72."),
        ("cot", "Half of 48 is 30. So 30 plus 42 makes 72.\nThe answer is 72."),
        ("cot", "48 / 2 = 24 clips in May, and that is all.\nThe answer is 72."),
        ("kp_pot", "Core question: How many?\nProblem-solving information:\n- 48.\nSolution:\nanswer = 72"),
        ("decompose", "Question 1: How many?\nAnswer 1: it is 72\nThe answer is 72."),
    ],
)
def test_an_answer_that_is_written_down_and_not_computed_is_refused(
    verifier: Verifier, thought: str, text: str, problem: Problem
) -> None:
    verdict = verifier.judge_rationale(thought, text, problem)
    assert (verdict.reason, verdict.value) == (Reason.NO_REASONING, Fraction(72))
    assert verdict.detail
    assert verifier.judge(thought, text, problem.answer).accepted


@pytest.mark.parametrize(
    ("thought", "text", "named"),
    [
        ("pot", "x = 7 * 6\nanswer = 48 + 48 / 2", "x"),
        ("pot", "may = 48 / 2\nmay = 48 / 2\nanswer = 48 + may", "may"),
        ("pot", "may = 48 / 2\nprint(may)\nanswer = 48 + 48 / 2", "may"),
        ("pot", "answer = 48\nanswer = 48 + 48 / 2", "answer"),
        ("pot", "total = 48\ntotal += 1\nanswer = 48 + 48 / 2", "total"),
        ("eot", "friends = 7\nx = 48 + 48 / 2\nsolve for x", "friends = 7"),
        ("eot", "x = 48 + 48 / 2\nz = y\ny = x + 1\nsolve for x", "z = y"),
        ("eot", "x = 48 + 48 / 2\n48 = 48\nsolve for x", "48 = 48"),
    ],
)
def test_a_step_that_nothing_uses_is_refused_and_named(
    verifier: Verifier, thought: str, text: str, named: str
) -> None:
    verdict = verifier.judge_rationale(thought, text, CLIPS)
    assert (verdict.reason, verdict.value) == (Reason.UNUSED_STEP, Fraction(72))
    assert verdict.detail == f"nothing uses `{named}`"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30 + 42 = 72 clips.\nThe answer is 72.", "42"),
        ("So 48 + 24 = 72 clips.\nThe answer is 72.", "24"),
        ("48 / 2 = 24 clips in May.\nThat is 24 + 47 + 1 = 72.\nThe answer is 72.", "47"),
    ],
)
def test_a_stated_step_with_a_number_from_nowhere_is_refused_and_the_number_named(
    verifier: Verifier, text: str, number: str
) -> None:
    verdict = verifier.judge_rationale("cot", text, CLIPS)
    assert (verdict.reason, verdict.value) == (Reason.UNEXPLAINED_NUMBER, Fraction(72))
    assert verdict.detail.endswith(f"`: nothing gives {number}")


@pytest.mark.parametrize(
    ("problem", "thought", "text"),
    [
        (CLIPS, "pot", "answer = 48 / 2 + 30 + 18"),
        (CLIPS, "pot", "answer = 48 * 2 - 24"),
        (CLIPS, "pot", "answer = 48 + 24"),
        (CLIPS, "pot", "may = 12 * 2\nanswer = 48 + may"),
        (CLIPS, "pot", "answer = 144 - 48 * 3 / 2"),
        (CLIPS, "pot", "answer = 48 * 0 + 8 * 9"),
        (CLIPS, "eot", "x - 24 = 48\nsolve for x"),
        (
            CLIPS,
            "kp_pot",
            "Core question: Q?\nProblem-solving information:\n- 48.\nSolution:\nanswer = 48 + 24",
        ),
        (ROLLS, "pot", "answer = 14 * 25 / 2 - 55"),
        (ROLLS, "pot", "answer = 230 - 25 * 4 - 10"),
        (COAT, "pot", "answer = 80 - 28"),
        (COAT, "pot", "answer = 80 - 35 + 7"),
        (COAT, "cot", "80 - 35 = 45\n45 + 7 = 52\nThe answer is 52."),
        (MARBLES, "pot", "answer = 15 * 7 + 12 - 3"),
        (MARBLES, "eot", "t = 15 * 7 + 12 - 3\nsolve for t"),
    ],
)
def test_steps_that_are_right_by_accident_give_another_answer_with_other_numbers(
    verifier: Verifier, problem: Problem, thought: str, text: str
) -> None:
    verdict = verifier.judge_rationale(thought, text, problem)
    assert (verdict.reason, verdict.value) == (Reason.BY_ACCIDENT, problem.answer)


def test_an_accident_is_told_with_the_numbers_that_show_it(verifier: Verifier) -> None:
    verdict = verifier.judge_rationale("pot", "answer = 48 + 24", CLIPS)
    told = re.fullmatch(r"with (\d+) for 48 in the question, it gives (\d+) instead of (\d+)", verdict.detail)
    assert told is not None
    april, given, right = map(int, told.groups())
    assert (given, right) == (april + 24, april + april // 2)


@pytest.mark.parametrize(
    ("problem", "thought", "text"),
    [
        (CLIPS, "pot", "answer = 48 / 2 + 48"),
        (CLIPS, "pot", "half = 48 // 2\nanswer = half + 48"),
        (CLIPS, "pot", "answer = 48 * 1.5"),
        (CLIPS, "pot", "answer = 3 * 48 / 2"),
        (CLIPS, "eot", "2 * m = 48\nx - m = 48\nsolve for x"),
        (CLIPS, "cot", "In April 48, in May 48 / 2 = 24.\n24 + 48 = 72.\nThe answer is 72."),
        (CLIPS, "cot", "48 * 1/2 = 24\n48 + 24 = 72\nThe answer is $72."),
        (ROLLS, "pot", "sold = 230\ntrays = 14\nrolls = 25\nanswer = trays * rolls - sold"),
        (ROLLS, "pot", "answer = sum([14 * 25, -230])"),
        (ROLLS, "pot", "rolls = 0\nfor tray in range(14):\n    rolls += 25\nanswer = rolls - 230"),
        (ROLLS, "pot", "def left(a, b, c):\n    return a * b - c\nanswer = left(14, 25, 230)"),
        (ROLLS, "pot", "answer = int(25.0 * 14) - 230"),
        (CLASS, "pot", "answer = 18 * 14"),
        (CLASS, "pot", "girls = 30 - 12\nanswer = girls * 14"),
        (COAT, "pot", "answer = 80 * 0.65"),
        (COAT, "pot", "answer = 80 * (1 - 35 / 100)"),
        (COAT, "pot", "rest = 100 - 35\nanswer = 80 * rest / 100"),
        (COAT, "pot", "answer = 80 * 13 / 20"),
        (COAT, "cot", "100% - 35% = 65%\n65 * 80 / 100 = 52\nThe answer is 52."),
        (COAT, "cot", "80 * 0.65 = 52\nThe answer is $52."),
        (MARBLES, "pot", "answer = 15 * 2 + 7 * 12"),
        (MARBLES, "pot", "bags = 12 * 7\nanswer = bags + 15 + 15"),
        (MARBLES, "eot", "a = 15 + 15\nt - a = b\nb = 7 * 12\nsolve for t"),
        (MARBLES, "decompose", "Question 1: Bags?\nAnswer 1: 7 * 12 = 84\nQuestion 2: All?\n"
         "Answer 2: 84 + 15 + 15 = 114\nThe answer is 114."),
    ],
)  # fmt: skip
def test_right_steps_in_another_order_and_under_other_names_are_accepted(
    verifier: Verifier, problem: Problem, thought: str, text: str
) -> None:
    assert verifier.judge_rationale(thought, text, problem) == verifier.judge(thought, text, problem.answer)
    assert verifier.judge_rationale(thought, text, problem).accepted


@pytest.mark.parametrize(
    ("question", "answer", "thought", "text"),
    [
        ("He had 96 eggs, half of them red. How many are red?", 48, "pot", "answer = 96 / 2"),
        ("A tape runs 60 minutes, another 2 hours. How long is the longer one in minutes?", 120, "pot",
         "answer = 2 * 60"),
        ("She reads a page a minute. How many in 1 hour?", 60, "pot", "answer = 1 * 60"),
        ("How many days are 3 weeks?", 21, "cot", "3 * 7 = 21 days.\nThe answer is 21."),
        ("Ann and her three friends share 24 cakes. How many has each?", 6, "cot",
         "1 + 3 = 4 children.\n24 / 4 = 6\nThe answer is 6."),
        ("Both twins have a dozen eggs. How many in all?", 24, "pot", "answer = 2 * 12"),
        ("A dozen eggs cost $3. How much are five dozen?", 15, "cot", "5 * 3 = 15\nThe answer is 15."),
        ("20 of 80 children sing. What percentage is that?", 25, "pot", "answer = 20 * 100 / 80"),
        ("20 of 80 children sing. What percentage is that?", 25, "cot",
         "20 / 80 = 0.25\nThe answer is 25%."),
        ("A bus holds 20. How many buses do 50 people need?", 3, "cot",
         "50 / 20 = 2.5, so 3 buses are needed.\nThe answer is 3."),
        ("He had 40 and 8, gave 8 away. How many are left?", 40, "pot", "answer = 40 + 8 - 8"),
        ("Tim has 48 and Ann 30. How many has the one with more?", 48, "pot", "answer = max(48, 30)"),
        ("Two weeks at $5 a day cost what?", 70, "cot", "14 * 5 = 70\nThe answer is 70."),
        ("A half-hour show has 24 minutes of news. How long are the ads?", 6, "cot",
         "30 - 24 = 6\nThe answer is 6."),
        ("16 cans do for four walls. One stays bare, one can is for the roof. How many are left?", 3, "pot",
         "wall = 16 / 4\nused = 3 * wall\nanswer = 16 - used - 1"),
        ("Jo ate 3/8 of 24 plums. How many?", 9, "pot", "answer = 24 * 3 / 8"),
        ("How many legs have a dog and a spider?", 12, "pot", "answer = 4 + 8"),
    ],
)  # fmt: skip
def test_constants_and_words_that_stand_for_numbers_need_no_explanation(
    verifier: Verifier, question: str, answer: int, thought: str, text: str
) -> None:
    problem = make_problem(question, "", answer)
    assert verifier.judge_rationale(thought, text, problem).reason is Reason.ACCEPTED


@pytest.mark.parametrize(
    "text",
    ["answer = 3 * 8 + 1", "x = 5\nanswer = 3 * 8 + 1", "answer = 25", "answer ="],
)
def test_a_rationale_that_is_wrong_is_judged_by_its_answer_and_form_alone(
    verifier: Verifier, text: str
) -> None:
    assert verifier.judge_rationale("pot", text, CLIPS) == verifier.judge("pot", text, CLIPS.answer)


@pytest.mark.parametrize(
    "text",
    [
        "answer = 48 + 48 * 5 // 10",
        "word = 'fourty-eight'\nanswer = [48, 24][0] + len(word) * 2",
        "answer = round(48, 1) + 24",
    ],
)
def test_where_nobody_can_tell_what_other_numbers_do_a_right_program_is_accepted(
    verifier: Verifier, text: str
) -> None:
    assert verifier.judge_rationale("pot", text, UNSOLVED).accepted


@pytest.mark.parametrize("problem", PARENTS)
def test_what_the_symbolic_teacher_writes_follows_from_its_question(
    verifier: Verifier, problem: Problem
) -> None:
    assert refused(verifier, [problem]) == []


@pytest.mark.slow
def test_every_reference_rationale_of_gsm_symbolic_follows_from_its_question(verifier: Verifier) -> None:
    drawn = draw_sets("gsm-symbolic", limit=150, seed=3)
    assert refused(verifier, [problem for problems in drawn.values() for problem in problems]) == []


def refused(verifier: Verifier, problems: Sequence[Problem]) -> list[tuple[str, str, Verdict]]:
    """The right rationales that are refused, each with its thought and verdict."""
    found = []
    for problem in problems:
        for thought in ("pot", "eot", "cot", "kp_pot", "kp_cot", "cot_pot", "decompose"):
            text = asyncio.run(SymbolicTeacher().explain(problem, thought)).content
            if isinstance(text, str) and verifier.judge(thought, text, problem.answer).accepted:
                verdict = verifier.judge_rationale(thought, text, problem)
                found += [] if verdict.accepted else [(thought, text, verdict)]
    return found
