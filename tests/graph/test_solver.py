"""A student that only plans, and the solver that works the answers out; the tiny student plays both."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.agents.evaluator import Ask, policy_of
from fdd.agents.thoughts.decompose import PLAN_CUE
from fdd.errors import StoppedError, UsageError
from fdd.graph.exam import Exam, choose_shots, examine, request
from fdd.graph.state import RunContext
from fdd.rundir.answers import Question
from fdd.rundir.examples import as_example
from fdd.settings import load_settings
from fdd.storage.store import Lesson, Store
from fdd.training.config import GenerateConfig
from fdd.training.fetch import student_path
from tests.graph.contexts import opened
from tests.storage.samples import RUN, problem, rationale

WORKED = problem("A shop sold 48 kites in May and half as many in June. How many in all?", 72)
PLAN = "Question 1: How many kites did it sell in June?\nQuestion 2: How many kites did it sell in all?"
SOLVED = (
    "Question 1: How many kites did it sell in June?\nAnswer 1: 48 / 2 = 24\n"
    "Question 2: How many kites did it sell in all?\nAnswer 2: 48 + 24 = 72\nThe answer is 72."
)
LESSON = Lesson(WORKED, replace(rationale(WORKED, thought="decompose"), text=SOLVED))
QUESTIONS = [
    Question(problem=problem(f"What is {n} times 3?", 3 * n, split="dev"), evaluation="dev")
    for n in (1, 2, 3)
]


@pytest.fixture
def context(tmp_path: Path, cache: Path) -> Iterator[RunContext]:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([LESSON.problem, LESSON.rationale, *(question.problem for question in QUESTIONS)])
    given = {"rounds": "1", "student": "tiny", "thoughts": "decompose", "solver": "tiny", "device": "cpu"}
    tiny = student_path("tiny", cache)
    with opened(tmp_path, store, load_settings(given, environment={}), base=tiny, solver=tiny) as context:
        yield context


def exam(context: RunContext, samples: int = 1) -> Exam:
    return Exam(
        phase="evaluate",
        during=0,
        round=0,
        purpose="evaluation",
        student=context.base,
        model="tiny",
        policy=policy_of("samples", ["decompose"], samples),
        config=GenerateConfig(max_new_tokens=6, batch_size=2, temperature=0.7),
    )


def test_every_answer_of_the_solver_has_a_plan_of_the_student(context: RunContext) -> None:
    attempts = examine(exam(context, samples=2), QUESTIONS, context)
    plans = context.store.attempts(round=0, purpose="plan")
    assert {attempt.purpose for attempt in attempts} == {"evaluation"}
    assert {(a.problem_id, a.evaluation, a.sample) for a in attempts} == {
        (a.problem_id, a.evaluation, a.sample) for a in plans
    }
    assert len(attempts) == len(plans) == 6


def test_an_exam_interrupted_between_plans_and_answers_asks_for_no_plan_again(context: RunContext) -> None:
    def planned() -> bool:
        return len(context.store.attempts(round=0, purpose="plan")) == len(QUESTIONS)

    with pytest.raises(StoppedError):
        examine(exam(context), QUESTIONS, replace(context, should_stop=planned))
    plans = context.store.attempts(round=0, purpose="plan")
    assert context.store.attempts(round=0, purpose="evaluation") == []
    examine(replace(exam(context), student=Path("nowhere")), QUESTIONS, context)
    assert context.store.attempts(round=0, purpose="plan") == plans


def test_the_solver_reads_the_plan_of_the_sample_below_the_question(context: RunContext) -> None:
    question = replace(QUESTIONS[0], plans=("Question 1: What else?", PLAN))
    asked = request(exam(context), "a-1", question, Ask("decompose", 1))
    assert asked.question == f"What is 1 times 3?\n{PLAN}"


def test_a_student_that_plans_learns_the_subquestions_and_is_asked_for_them(context: RunContext) -> None:
    (shown,) = choose_shots(context, planning=True)
    assert (shown.cue, shown.rationale) == (PLAN_CUE, PLAN)
    assert as_example(LESSON, planning=True) == shown


def test_the_solver_is_shown_whole_rationales(context: RunContext) -> None:
    (shown,) = choose_shots(context, planning=False)
    assert shown.rationale == SOLVED


@pytest.mark.parametrize("given", [{"thoughts": "pot"}, {"thoughts": "decompose", "self_samples": "2"}])
def test_a_solver_needs_a_student_that_only_decomposes(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--solver"):
        load_settings({"rounds": "1", "solver": "tiny", **given}, environment={})
