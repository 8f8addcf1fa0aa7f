"""How an exam goes through the stages of a policy; the tiny student answers, and never gives a value."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.evaluator import Ask, Fallback, Majority, Policy, policy_of, samples_of
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Progress, Reason, Verdict
from fdd.engines.engine import LOCAL
from fdd.errors import ProblemSetError, StoppedError
from fdd.graph.exam import Exam, Examiner, ask, check_grader, config_of, judge
from fdd.rundir.answers import Question, choose, grade
from fdd.storage.records import AttemptRecord, Purpose, Record, SpanRecord, attempt_id
from fdd.training.config import GenerateConfig
from fdd.training.fetch import student_path
from fdd.training.tasks import Completion
from tests.storage.samples import problem

THOUGHTS = ("pot", "eot", "cot")
QUESTIONS = [
    Question(problem=problem(f"What is {n} times 3?", 3 * n, split="dev"), evaluation="dev")
    for n in (1, 2, 3)
]


class Proctor:
    """Watches an exam, takes in its attempts, and stops it when it has as many as it was told to wait for."""

    def __init__(self, verifier: Verifier, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.kept: list[AttemptRecord] = []
        self.spans: list[SpanRecord] = []
        self.totals: list[int] = []
        self.notices: list[str] = []
        self.examiner = Examiner(
            verifier=verifier,
            listener=self,
            device="cpu",
            engine=LOCAL,
            should_stop=self.should_stop,
            keep=self.keep,
        )

    def keep(self, rows: Sequence[Record]) -> None:
        self.kept += [row for row in rows if isinstance(row, AttemptRecord)]
        self.spans += [row for row in rows if isinstance(row, SpanRecord)]

    def should_stop(self) -> bool:
        return self.stop_at is not None and len(self.kept) >= self.stop_at

    def advanced(self, progress: Progress) -> None:
        self.totals.append(progress.total)

    def evaluated(self, round: int) -> None:
        raise AssertionError(f"an exam does not say that round {round} is evaluated")

    def noticed(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


@pytest.fixture(scope="module")
def tiny(cache: Path) -> Path:
    return student_path("tiny", cache)


def exam(student: Path, policy: Policy, temperature: float = 0.0) -> Exam:
    return Exam(
        phase="evaluate",
        during=0,
        round=0,
        purpose="evaluation",
        student=student,
        model="tiny",
        policy=policy,
        config=GenerateConfig(max_new_tokens=6, batch_size=2, temperature=temperature),
    )


def attempt(question: Question, ask: Ask, value: int | None, reason: Reason | None = None) -> AttemptRecord:
    """An answer that came to this value."""
    right = value == question.problem.answer
    key = attempt_id(
        problem_id=question.problem.id,
        round=0,
        purpose="evaluation",
        evaluation="dev",
        thought=ask.thought,
        sample=ask.sample,
    )
    return AttemptRecord(
        id=key,
        problem_id=question.problem.id,
        round=0,
        purpose="evaluation",
        evaluation="dev",
        thought=ask.thought,
        sample=ask.sample,
        text=f"answer = {value}",
        reason=reason or (Reason.ACCEPTED if right else Reason.WRONG_ANSWER),
        value=None if value is None else Fraction(value),
        form=True,
        new_tokens=4,
        finished=True,
        model="tiny",
        seed=0,
    )


def by_id(attempts: Sequence[AttemptRecord]) -> dict[str, AttemptRecord]:
    return {attempt.id: attempt for attempt in attempts}


def test_only_questions_without_a_value_go_on_to_the_next_thought(verifier: Verifier, tiny: Path) -> None:
    pot = Ask("pot")
    before = [attempt(question, pot, value) for question, value in zip(QUESTIONS, (7, None, 9), strict=True)]
    proctor = Proctor(verifier)
    attempts = ask(
        exam(tiny, policy_of("fallback", THOUGHTS, samples=1)), QUESTIONS, proctor.examiner, by_id(before)
    )
    assert {(a.problem_id, a.thought) for a in proctor.kept} == {
        (QUESTIONS[1].problem.id, "eot"),
        (QUESTIONS[1].problem.id, "cot"),
    }
    assert by_id(attempts) == by_id([*before, *proctor.kept])


def test_a_vote_over_thoughts_is_one_stage(verifier: Verifier, tiny: Path) -> None:
    proctor = Proctor(verifier)
    ask(exam(tiny, policy_of("vote", THOUGHTS, samples=1)), QUESTIONS, proctor.examiner, before={})
    assert set(proctor.totals) == {9}
    assert {(a.thought, a.sample) for a in proctor.kept} == {(name, 0) for name in THOUGHTS}


def test_a_vote_that_is_decided_spares_the_other_samples_and_says_how_many(
    verifier: Verifier, tiny: Path
) -> None:
    before = [
        attempt(question, ask, value)
        for question, values in zip(QUESTIONS, ((3, 3, 3), (6, 1, 6, 6), (9, 9, 9)), strict=True)
        for ask, value in zip(samples_of("pot", 5), values, strict=False)
    ]
    proctor = Proctor(verifier)
    asked = exam(tiny, Majority(samples_of("pot", 5), early=True))
    attempts = ask(asked, QUESTIONS, proctor.examiner, by_id(before))
    assert by_id(attempts) == by_id(before)
    assert proctor.notices == ["evaluate: 10 answers decided it, 5 more were not needed"]


@pytest.mark.parametrize("stop_at", [2, 6, 8])
def test_an_exam_interrupted_in_any_stage_ends_with_the_same_attempts_and_asks_nothing_twice(
    stop_at: int, verifier: Verifier, tiny: Path
) -> None:
    asked = exam(tiny, Majority(samples_of("pot", 3), early=True), temperature=0.7)
    whole = ask(asked, QUESTIONS, Proctor(verifier).examiner, before={})
    first, second = Proctor(verifier, stop_at), Proctor(verifier)
    with pytest.raises(StoppedError):
        ask(asked, QUESTIONS, first.examiner, before={})
    assert ask(asked, QUESTIONS, second.examiner, by_id(first.kept)) == whole
    assert len(first.kept) + len(second.kept) == len(whole) == 9


def test_an_exam_that_goes_on_in_other_batches_stores_no_answer_twice(verifier: Verifier, tiny: Path) -> None:
    asked = exam(tiny, Majority((Ask("pot"),)))
    first, second = Proctor(verifier, stop_at=2), Proctor(verifier)
    with pytest.raises(StoppedError):
        ask(asked, QUESTIONS, first.examiner, before={})
    wider = replace(asked, config=replace(asked.config, batch_size=3))
    attempts = ask(wider, QUESTIONS, second.examiner, by_id(first.kept))
    assert by_id(first.kept).keys().isdisjoint(by_id(second.kept))
    assert by_id(attempts) == by_id([*first.kept, *second.kept])


def test_a_problem_counts_as_right_by_the_value_that_was_chosen() -> None:
    first, second, third = QUESTIONS
    pot, eot = Ask("pot"), Ask("eot")
    attempts = [
        attempt(first, pot, 3, Reason.WRONG_ARITHMETIC),
        attempt(second, pot, 5),
        attempt(second, eot, 6),
        attempt(third, pot, None),
        attempt(third, eot, 9),
    ]
    fallback = grade(choose(Fallback((pot, eot)), QUESTIONS, attempts))
    assert (fallback["dev"].correct, fallback["dev"].n) == (2, 3)


def test_an_answer_counts_by_its_value_and_its_form_is_told_apart(verifier: Verifier, tiny: Path) -> None:
    verdicts = judged("evaluation", verifier, tiny, "**3**", "answer = 3", "answer = 4", "no idea")
    assert [(verdict.accepted, verdict.form) for verdict in verdicts] == [
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ]


def test_what_a_student_practised_is_taught_only_where_it_is_a_rationale(
    verifier: Verifier, tiny: Path
) -> None:
    texts = ("answer = 1 * 3", "answer = 3", "x = 1\nanswer = 1 * 3", "```\nanswer = 1 * 3\n```")
    assert [verdict.reason for verdict in judged("practice", verifier, tiny, *texts)] == [
        Reason.ACCEPTED,
        Reason.NO_REASONING,
        Reason.UNUSED_STEP,
        Reason.SYNTAX_ERROR,
    ]


def judged(purpose: Purpose, verifier: Verifier, tiny: Path, *texts: str) -> list[Verdict]:
    """Verdicts on these answers to `What is 1 times 3?`."""
    sat = replace(exam(tiny, Majority((Ask("pot"),))), purpose=purpose)
    completions = [
        Completion(key=str(place), text=text, prompt_tokens=9, new_tokens=4, finished=True)
        for place, text in enumerate(texts)
    ]
    return judge(sat, completions, {each.key: (QUESTIONS[0], Ask("pot")) for each in completions}, verifier)


def test_samples_are_drawn_and_every_other_policy_is_greedy() -> None:
    greedy = GenerateConfig()
    assert config_of("samples", greedy, temperature=0.7).temperature == 0.7
    assert {config_of(name, greedy, 0.7).temperature for name in ("single", "fallback", "vote")} == {0.0}


def test_a_single_answer_is_that_of_the_first_thought() -> None:
    assert policy_of("single", THOUGHTS, samples=5) == Majority((Ask("pot"),))


def test_reference_answers_that_are_graded_as_wrong_are_told_in_plain_words(verifier: Verifier) -> None:
    odd = Problem(id="p-1", question="How many?", answer=Fraction(1, 99991), solution="", source="tests")
    with pytest.raises(ProblemSetError) as caught:
        check_grader(verifier, "mine", [odd])
    assert str(caught.value) == (
        "1 of 1 reference answers of 'mine' cannot be graded, the first is 1/99991 to 'How many?': "
        "`answer = 2/99991 - 1/99991` comes out as wrong_answer; correct these answers"
    )
