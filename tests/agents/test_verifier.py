"""Verdicts on texts in every thought, on attempts that were cut off, and on the reference answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fdd.agents.thoughts.base import Outcome
from fdd.agents.verifier import Verifier, compare, statements
from fdd.domain import Problem, Reason, Verdict, problem_id
from fdd.errors import FddError, UsageError

PROGRAM = "april = 48\nmay = april / 2\nanswer = april + may"
EQUATIONS = "april = 48\nmay * 2 = april\ntotal = april + may\nsolve for total"
SENTENCES = "In May she sold 48 / 2 = 24 clips.\nTogether that is 48 + 24 = 72.\nThe answer is 72."


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=2, seconds=0.5) as verifier:
        yield verifier


@pytest.mark.parametrize(("thought", "text"), [("pot", PROGRAM), ("eot", EQUATIONS), ("cot", SENTENCES)])
def test_a_right_rationale_is_accepted_with_its_value(verifier: Verifier, thought: str, text: str) -> None:
    assert verifier.judge(thought, text, Fraction(72)) == Verdict(reason=Reason.ACCEPTED, value=Fraction(72))


@pytest.mark.parametrize(("thought", "text"), [("pot", PROGRAM), ("eot", EQUATIONS), ("cot", SENTENCES)])
def test_a_rationale_for_another_answer_is_wrong_and_says_both_numbers(
    verifier: Verifier, thought: str, text: str
) -> None:
    verdict = verifier.judge(thought, text, Fraction(145, 2))
    assert (verdict.reason, verdict.value) == (Reason.WRONG_ANSWER, Fraction(72))
    assert verdict.detail == "72 instead of 72.5"


def test_a_right_answer_after_wrong_arithmetic_is_not_accepted(verifier: Verifier) -> None:
    verdict = verifier.judge("cot", SENTENCES.replace("24 clips", "25 clips"), Fraction(72))
    assert (verdict.reason, verdict.value) == (Reason.WRONG_ARITHMETIC, Fraction(72))
    assert "48 / 2 = 25" in verdict.detail


def test_wrong_arithmetic_is_found_whatever_the_answer_is(verifier: Verifier) -> None:
    verdict = verifier.judge("cot", SENTENCES.replace("24 clips", "25 clips"), Fraction(73))
    assert (verdict.reason, verdict.value) == (Reason.WRONG_ARITHMETIC, Fraction(72))


@pytest.mark.parametrize(
    ("thought", "text", "reason"),
    [
        ("pot", "april = 48", Reason.NO_ANSWER),
        ("pot", "answer = True", Reason.NOT_A_NUMBER),
        ("pot", "The answer is 72.", Reason.SYNTAX_ERROR),
        ("pot", "answer = '72'", Reason.NOT_A_NUMBER),
        ("eot", "april = 48\nmay * 2 = april", Reason.NO_ANSWER),
        ("eot", "april + may = 72\nsolve for april", Reason.MANY_SOLUTIONS),
        ("eot", "april = 48\napril = 47\nsolve for april", Reason.NO_SOLUTION),
        ("eot", "april = __import__('os').getpid()\nsolve for april", Reason.FORBIDDEN),
        ("eot", "аpril = 48\nsolve for april", Reason.SYNTAX_ERROR),
        ("cot", "Together that is 48 + 24 = 72.", Reason.NO_ANSWER),
        ("cot", "", Reason.NO_ANSWER),
    ],
)
def test_a_text_without_an_answer_gets_its_reason(
    verifier: Verifier, thought: str, text: str, reason: Reason
) -> None:
    verdict = verifier.judge(thought, text, Fraction(72))
    assert (verdict.reason, verdict.value) == (reason, None)
    assert verdict.detail


def test_an_attempt_that_was_cut_off_has_no_answer_even_if_a_number_stands_there(verifier: Verifier) -> None:
    verdict = verifier.judge("pot", "answer = 72", Fraction(72), finished=False)
    assert (verdict.reason, verdict.value, verdict.form) == (Reason.NO_ANSWER, None, False)


@pytest.mark.parametrize("thought", ["pot", "cot", "eot"])
@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000,
        "answer = " + "9" * 5000,
        "The answer is " + "9" * 5000 + ".",
        "x = " + "9" * 5000 + "\nsolve for x",
        "1" + " + 1" * 4000 + " = 3\nThe answer is 72.",
        "(" * 9000 + "\nThe answer is 72.",
        "x = 1\n" * 30000 + "solve for x",
        "a" * 1_000_000,
        "\ud800\x00" * 100,
    ],
)
def test_oversized_and_broken_texts_are_survived(verifier: Verifier, thought: str, text: str) -> None:
    assert not verifier.judge(thought, text, Fraction(71)).accepted


def test_an_unknown_thought_is_a_usage_error(verifier: Verifier) -> None:
    with pytest.raises(UsageError, match="no thought is called 'telepathy'"):
        verifier.judge("telepathy", "72", Fraction(72))


def test_many_verdicts_come_in_the_order_of_their_texts(verifier: Verifier) -> None:
    answers = [Fraction(n) for n in range(60)]
    texts = ["while True:\n    pass", *(f"answer = {n}" for n in range(1, 60))]
    verdicts = verifier.judge_many(("pot", text, answer) for text, answer in zip(texts, answers, strict=True))
    assert [verdict.reason for verdict in verdicts[:2]] == [Reason.TIME_LIMIT, Reason.ACCEPTED]
    assert [verdict.value for verdict in verdicts[1:]] == answers[1:]


def test_many_verdicts_know_which_attempts_were_cut_off(verifier: Verifier) -> None:
    verdicts = verifier.judge_many(
        [("pot", "answer = 1", Fraction(1), True), ("pot", "answer = 1", Fraction(1), False)]
    )
    assert [verdict.accepted for verdict in verdicts] == [True, False]


def test_threads_may_judge_at_the_same_time(verifier: Verifier) -> None:
    def judge(n: int) -> bool:
        thought, text = [("pot", f"answer = {n}"), ("eot", f"x + y = {n}\nx - y = {n}\nsolve for x")][n % 2]
        return verifier.judge(thought, text, Fraction(n)).accepted

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(judge, range(1, 101)))


@pytest.mark.parametrize(
    "value", ["72", "2.5", "1/3", "-3", "0", "1234567", "1234567.89", "0.0001", "1152921504606846977", "22/7"]
)
def test_every_way_to_state_an_answer_is_accepted_for_it_alone(verifier: Verifier, value: str) -> None:
    assert verifier.self_check([_problem(Fraction(value))]) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals(-(10**7), 10**7, places=2))
def test_no_price_is_misgraded(verifier: Verifier, price: object) -> None:
    assert verifier.self_check([_problem(Fraction(str(price)))]) == []


def test_the_self_check_names_each_problem_whose_answer_the_grader_cannot_hold(verifier: Verifier) -> None:
    sound, odd = _problem(Fraction(72)), _problem(Fraction(1, 99991))
    found = verifier.self_check([sound, odd, replace(odd, id="p-again")])
    assert [(bad.problem, bad.answer) for bad in found] == [
        (odd.id, odd.answer),
        ("p-again", odd.answer),
    ]
    assert (found[0].thought, found[0].reason) == ("pot", Reason.WRONG_ANSWER)


def test_the_self_check_states_answers_in_all_thoughts() -> None:
    assert {thought for thought, _ in statements(Fraction(5, 2))} == {"pot", "cot", "eot"}
    assert ("cot", "The answer is $1,200.") in list(statements(Fraction(1200)))


def test_numbers_are_equal_only_when_they_are_the_same_rational() -> None:
    near = Outcome(value=Fraction("0.3333333333"))
    assert compare(near, Fraction(1, 3)).reason is Reason.WRONG_ANSWER
    assert compare(Outcome(value=Fraction(2, 6)), Fraction(1, 3)).accepted


def test_a_verdict_on_a_long_number_stays_one_short_line() -> None:
    verdict = compare(Outcome(value=Fraction(10**900)), Fraction(1))
    assert verdict.detail == "a number of 901 characters instead of 1"


def test_a_sandbox_that_does_not_start_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    with pytest.raises(FddError, match=r"the sandbox does not start .*reinstall pydantic-monty"), Verifier():
        pass


def _problem(answer: Fraction) -> Problem:
    return Problem(
        id=problem_id("How many?", answer), question="How many?", answer=answer, solution="", source="test"
    )
