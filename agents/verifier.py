"""Judges rationales and attempts alike: gets the answer out of a text and compares it exactly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from types import TracebackType
from typing import Self

from agents import thoughts
from agents.sandbox import LimitedSandbox
from agents.symbolic.numbers import write_plain
from agents.thoughts.base import Outcome
from agents.values import MAX_DIGITS
from domain import Problem, Reason, Stopwatch, Verdict

MAX_TEXT = 20_000
"""Characters; longer texts are refused unread."""

LONG_NUMBER = re.compile(rf"\d[\d,._]{{{MAX_DIGITS}}}")
"""Python takes quadratic time to read one, or refuses to."""

TOO_LONG = Verdict(
    reason=Reason.MEMORY_LIMIT,
    detail=f"more than {MAX_TEXT} characters in the text or {MAX_DIGITS} in a number",
)
TOO_DEEP = Verdict(reason=Reason.MEMORY_LIMIT, detail="an expression is nested too deeply")
UNFINISHED = Verdict(reason=Reason.NO_ANSWER, detail="the text was cut off before its end")

UNCONFINED = (
    "The processes that run programs are not confined on this machine: only the interpreter's own limits "
    "hold; see `python main.py doctor`"
)

Submission = tuple[str, str, Fraction] | tuple[str, str, Fraction, bool]
"""The arguments of `Verifier.judge`: thought, text, reference answer, and whether the text is finished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misgraded:
    """A text about which the verifier must not be trusted, and so neither about this problem."""

    problem: str
    """Its id."""
    answer: Fraction
    """Its reference answer."""
    thought: str
    text: str
    """States the reference answer, or another one."""
    reason: Reason
    """What the verifier said to it."""


class Verifier:
    """Owns the sandbox; a context manager, safe to use from several threads.

    >>> with Verifier() as verifier:
    ...     verifier.judge("pot", "answer = 48 + 48 / 2", Fraction(72)).accepted
    True
    """

    def __init__(self, *, workers: int = 2, seconds: float = 1.0, megabytes: int = 64) -> None:
        """`seconds` and `megabytes` limit each program; `workers` run at the same time."""
        self._sandbox = LimitedSandbox(workers=workers, seconds=seconds, megabytes=megabytes)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="verifier")

    def __enter__(self) -> Self:
        self._sandbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._sandbox.__exit__(kind, error, trace)

    @property
    def confined(self) -> bool:
        """Whether the processes that run programs are confined."""
        return self._sandbox.confined

    def judge(self, thought: str, text: str, answer: Fraction, finished: bool = True) -> Verdict:
        """Judge a text in the thought of this name by the reference answer.

        An unfinished text, one that was cut off at the limit of its length, has no answer: what it would
        have gone on to say is unknown, and a number may have lost its last digits.
        """
        if not finished:
            return UNFINISHED
        if len(text) > MAX_TEXT or LONG_NUMBER.search(text):
            return TOO_LONG
        watch = Stopwatch()
        try:
            verdict = compare(thoughts.thought(thought).outcome(text, self._sandbox), answer)
        except RecursionError:
            verdict = TOO_DEEP
        return replace(verdict, timing=watch.read())

    def judge_many(self, submissions: Iterable[Submission]) -> list[Verdict]:
        """A verdict for each, in the same order; several workers share the work."""
        return list(self._threads.map(lambda submission: self.judge(*submission), submissions))

    def self_check(self, problems: Sequence[Problem]) -> list[Misgraded]:
        """Judge the reference answers themselves, written in every way a text may state them.

        Each must be accepted, and the same text must not be accepted for another answer. At most one
        finding a problem; none means that the grader can be trusted with these problems.
        """
        answers = dict.fromkeys(problem.answer for problem in problems)
        stated = [(name, text, answer) for answer in answers for name, text in statements(answer)]
        right = self.judge_many(stated)
        other = self.judge_many((name, text, answer + 1) for name, text, answer in stated)
        wrong = {
            answer: (name, text, verdict.reason)
            for (name, text, answer), verdict, false in zip(stated, right, other, strict=True)
            if not verdict.accepted or false.accepted
        }
        return [
            Misgraded(problem=problem.id, answer=problem.answer, thought=name, text=text, reason=reason)
            for problem in problems
            if problem.answer in wrong
            for name, text, reason in [wrong[problem.answer]]
        ]


def compare(outcome: Outcome, answer: Fraction) -> Verdict:
    """The verdict on what a text came to; numbers are equal when they are the same rational number.

    A text at fault in itself stays so whatever the answer is, so that such verdicts tell nothing about it.
    """
    if outcome.reason.accepted and outcome.value != answer:
        assert outcome.value is not None
        detail = f"{_shown(outcome.value)} instead of {_shown(answer)}"
        return Verdict(reason=Reason.WRONG_ANSWER, value=outcome.value, detail=detail)
    return Verdict(reason=outcome.reason, value=outcome.value, detail=outcome.detail)


def statements(answer: Fraction) -> Iterator[tuple[str, str]]:
    """Thoughts and texts that state nothing but this answer, in the ways their formats allow."""
    plain, double = write_plain(answer), write_plain(2 * answer)
    yield "pot", f"answer = {plain}"
    yield "pot", f"answer = {double} - {plain}"
    yield "eot", f"x = {plain}\nsolve for x"
    yield "eot", f"2 * x = {double}\nsolve for x"
    yield "cot", f"The answer is {plain}."
    if answer.denominator == 1 and answer >= 0:
        yield "cot", f"The answer is ${int(answer):,}."


def _shown(value: Fraction) -> str:
    text = write_plain(value)
    return text if len(text) <= 40 else f"a number of {len(text)} characters"
