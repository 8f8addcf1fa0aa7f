"""What the last student is asked between the rounds, and which of its answers join the set.

Its answers are in the store beforehand, as after an interruption; it has no weights, so that asking it fails.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from langgraph.runtime import Runtime

from fdd.agents.synthesizer import Drafted, Synthesizer, Wanted
from fdd.domain import Operator, Problem, Reason
from fdd.graph.nodes.fine_tune import choose_examples
from fdd.graph.nodes.practise import choose_problems, is_enough, most_right, practise
from fdd.graph.state import RunContext, RunState
from fdd.settings import load_settings
from fdd.storage.records import AttemptRecord, ProblemRecord, attempt_id
from fdd.storage.store import Store
from tests.graph.contexts import opened
from tests.storage.samples import ROUND, RUN, problem, rationale

STUDENT = "students/round-0"
STATE = RunState(run=RUN.id, rounds=2, round=1, student=STUDENT)
EXPLAINED = problem("What is 1 + 1?", 2)
UNEXPLAINED = problem("What is 2 + 2?", 4)
LATER = problem("What is 3 + 3?", 6, round=1)
CHILD = problem(
    "What is 4 + 4?", 8, round=1, split="generated", parent=EXPLAINED.id, operator=Operator.SIMILAR
)
HELD_BACK = problem("What is 5 + 5?", 10, round=2)
DEV = problem("What is 6 + 6?", 12, split="dev")
TEST = problem("What is 7 + 7?", 14, split="test:in-domain")


class Unproven:
    """A synthesizer whose answers nobody may trust."""

    name = "unproven"
    proven = False

    async def write(self, wanted: Wanted, rng: random.Random) -> Drafted:
        raise AssertionError(f"nobody asked for {wanted}, {rng}")


Make = Callable[..., RunContext]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A run in its first round of feedback, in which all but two problems were explained."""
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([EXPLAINED, UNEXPLAINED, LATER, CHILD, HELD_BACK, DEV, TEST, ROUND])
    store.add([rationale(EXPLAINED), rationale(UNEXPLAINED, reason=Reason.NO_DERIVATION)])
    store.add([rationale(LATER, round=1), rationale(CHILD, round=1, reason=Reason.NO_AGREEMENT)])
    with ExitStack() as resources:

        def context(synthesizer: Synthesizer | None = None, **given: str) -> RunContext:
            settings = load_settings({"rounds": "2", "student": "tiny", **given}, environment={})
            nowhere = tmp_path / "nowhere"
            return resources.enter_context(
                opened(tmp_path, store, settings, base=nowhere, synthesizer=synthesizer)
            )

        yield context


def answer(of: Problem, sample: int, text: str, reason: Reason, student: int = 0) -> AttemptRecord:
    key = attempt_id(
        problem_id=of.id, round=student, purpose="practice", evaluation="", thought="pot", sample=sample
    )
    return AttemptRecord(
        id=key,
        problem_id=of.id,
        round=student,
        purpose="practice",
        thought="pot",
        sample=sample,
        text=text,
        reason=reason,
        value=of.answer if reason.accepted else None,
        form=reason.accepted,
        new_tokens=9,
        finished=True,
        model=f"students/round-{student}",
        seed=0,
    )


def give(context: RunContext, *texts: str, of: Problem = UNEXPLAINED, student: int = 0) -> None:
    """The student's answers to a problem, right where they set `answer`."""
    context.store.add(
        answer(of, n, text, Reason.ACCEPTED if text.startswith("answer") else Reason.NO_ANSWER, student)
        for n, text in enumerate(texts)
    )


def chosen(context: RunContext) -> set[str]:
    return {found.question for found in choose_problems(STATE, context)}


def questions(*problems: ProblemRecord) -> set[str]:
    return {each.question for each in problems}


def test_without_self_samples_nobody_is_asked(make: Make) -> None:
    context = make()
    assert practise(STATE, Runtime(context=context)) == {}
    assert context.store.attempts(round=0) == []


def test_missing_are_the_problems_so_far_that_no_teacher_explained(make: Make) -> None:
    assert chosen(make(self_samples="1")) == questions(UNEXPLAINED, CHILD)


def test_everywhere_are_all_problems_so_far_and_none_of_an_evaluation(make: Make) -> None:
    context = make(self_samples="1", self_samples_where="everywhere")
    assert chosen(context) == questions(EXPLAINED, UNEXPLAINED, LATER, CHILD)


def test_a_problem_explained_in_another_thought_only_is_missing(make: Make) -> None:
    context = make(self_samples="1", thoughts="pot,cot")
    context.store.add([rationale(UNEXPLAINED, thought="cot")])
    assert chosen(context) == questions(UNEXPLAINED, CHILD)


def test_a_written_answer_that_nobody_confirmed_is_no_reference(make: Make) -> None:
    context = make(Unproven(), self_samples="1", thoughts="pot,cot")
    assert chosen(context) == questions(UNEXPLAINED)
    context.store.add([rationale(CHILD, round=1, thought="cot")])
    assert chosen(context) == questions(UNEXPLAINED, CHILD)


def test_right_answers_that_differ_join_the_set(make: Make) -> None:
    context = make(self_samples="4")
    give(context, "no idea", "answer = 2 + 2", " answer =  2 + 2\n", "answer = 8 / 2")
    give(context, *["no idea"] * 4, of=CHILD)
    assert practise(STATE, Runtime(context=context)) == {"problems": 3}
    lessons = [each for each in context.store.training_set(round=1) if each.rationale.agent == STUDENT]
    assert {each.rationale.text for each in lessons} == {"answer = 2 + 2", "answer = 8 / 2"}
    assert {each.problem.question for each in lessons} == questions(UNEXPLAINED)


def test_an_answer_that_a_teacher_wrote_does_not_join_again(make: Make) -> None:
    context = make(self_samples="1", self_samples_where="everywhere")
    give(context, "answer  =  2", of=EXPLAINED)
    for other in (UNEXPLAINED, LATER, CHILD):
        give(context, "no idea", of=other)
    practise(STATE, Runtime(context=context))
    assert STUDENT not in {each.agent for each in context.store.rationales()}


def test_a_rationale_agrees_with_the_attempt_that_it_was(make: Make) -> None:
    context = make(self_samples="2")
    give(context, "no idea", "answer = 2 + 2")
    give(context, "no idea", "no idea", of=CHILD)
    practise(STATE, Runtime(context=context))
    (written,) = (each for each in context.store.rationales() if each.agent == STUDENT)
    (attempt,) = (each for each in context.store.attempts(round=0) if each.reason.accepted)
    assert (written.problem_id, written.thought, written.text) == (
        attempt.problem_id,
        attempt.thought,
        attempt.text,
    )
    assert (written.agent, written.value, written.round) == (attempt.model, attempt.value, attempt.round + 1)
    assert context.store.verify() == []


def test_practising_again_after_a_crash_changes_nothing(make: Make) -> None:
    context = make(self_samples="1")
    give(context, "answer = 2 + 2")
    give(context, "answer = 4 + 4", of=CHILD)
    first = practise(STATE, Runtime(context=context))
    before = context.store.rationales()
    assert practise(STATE, Runtime(context=context)) == first
    assert context.store.rationales() == before


def test_what_a_student_wrote_does_not_count_as_explained(make: Make) -> None:
    context = make(self_samples="1")
    give(context, "answer = 2 + 2")
    give(context, "no idea", of=CHILD)
    practise(STATE, Runtime(context=context))
    context.store.add([replace(ROUND, round=1, student="students/round-1")])
    later = replace(STATE, round=2, student="students/round-1")
    found = {each.question for each in choose_problems(later, context)}
    assert found == questions(UNEXPLAINED, CHILD, HELD_BACK)


def test_the_same_answer_of_a_later_student_does_not_join_again(make: Make) -> None:
    context = make(self_samples="1")
    for student in (0, 1):
        give(context, "answer = 2 + 2", student=student)
        give(context, "no idea", of=CHILD, student=student)
    give(context, "no idea", of=HELD_BACK, student=1)
    practise(STATE, Runtime(context=context))
    context.store.add([replace(ROUND, round=1, student="students/round-1")])
    practise(replace(STATE, round=2, student="students/round-1"), Runtime(context=context))
    assert [each.agent for each in context.store.rationales(problem_id=UNEXPLAINED.id) if each.text] == [
        "symbolic",
        STUDENT,
    ]


def test_what_joined_is_new_to_training_that_goes_on_from_the_last_student(make: Make) -> None:
    context = make(self_samples="1", **{"fine_tune.start": "continue", "fine_tune.replay_share": "0"})
    give(context, "answer = 2 + 2")
    give(context, "no idea", of=CHILD)
    practise(STATE, Runtime(context=context))
    examples = choose_examples(STATE, context.settings, context.store.training_set(round=1))
    assert {each.question for each in examples} == questions(LATER, UNEXPLAINED)


@pytest.mark.parametrize(
    ("by", "answers", "enough", "most"),
    [
        ("problem", "rwww", False, 2),
        ("problem", "rwr", True, 2),
        ("difficulty", "rrrw", True, 1),
        ("difficulty", "rrrr", True, 1),
        ("difficulty", "rwww", False, 2),
        ("difficulty", "rwwr", True, 1),
        ("problem", "", False, 2),
    ],
)
def test_a_problem_is_asked_until_enough_answers_are_right(
    by: str, answers: str, enough: bool, most: int
) -> None:
    given = {"rounds": 1, "self_samples": 8, "self_right": 2, "self_right_by": by}
    settings = load_settings(given, environment={})
    attempts = [
        answer(EXPLAINED, n, letter, Reason.ACCEPTED if letter == "r" else Reason.NO_ANSWER)
        for n, letter in enumerate(answers)
    ]
    assert is_enough(attempts, settings) == enough
    if attempts:
        assert most_right(attempts, settings) == most


def test_no_more_right_answers_join_the_set_than_are_wanted(make: Make) -> None:
    context = make(self_samples="4", self_right="2")
    give(context, "answer = 2 + 2", "no idea", "answer = 8 / 2", "answer = 1 + 3")
    give(context, *["no idea"] * 4, of=CHILD)
    practise(STATE, Runtime(context=context))
    joined = [
        each.text for each in context.store.rationales(problem_id=UNEXPLAINED.id) if each.reason.accepted
    ]
    assert sorted(joined) == ["answer = 2 + 2", "answer = 8 / 2"]


def test_a_problem_with_enough_right_answers_is_not_asked_again(make: Make) -> None:
    context = make(self_samples="4", self_right="1")
    give(context, "answer = 2 + 2")
    give(context, "no idea", "no idea", "answer = 8", of=CHILD)
    # The student has no weights, so that asking once more would fail.
    practise(STATE, Runtime(context=context))
    assert len(context.store.attempts(round=0)) == 4
