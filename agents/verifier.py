"""Judges rationales and attempts: gets the answer from a text and compares it exactly with the reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from fdd.agents import thoughts
from fdd.agents.checking.free_form import read_freely
from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import CHECKS, renumberings
from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.checking.values import MAX_DIGITS
from fdd.agents.symbolic.numbers import decimal_places, write_plain
from fdd.agents.thoughts.base import Examined, Outcome
from fdd.domain import Problem, Reason, Stopwatch, Verdict
from fdd.errors import PROGRAM

MAX_TEXT = 20_000
"""Characters; longer texts are rejected unread."""

LONG_NUMBER = re.compile(rf"\d[\d,._]{{{MAX_DIGITS}}}")
"""Matches a number that Python would take quadratic time to read, or refuse."""

TOO_LONG = Verdict(
    reason=Reason.MEMORY_LIMIT,
    detail=f"more than {MAX_TEXT} characters in the text or {MAX_DIGITS} in a number",
)
TOO_DEEP = Verdict(reason=Reason.MEMORY_LIMIT, detail="an expression is nested too deeply")
UNFINISHED = Verdict(reason=Reason.NO_ANSWER, detail="the text was cut off before its end", form=False)

UNCONFINED = (
    "The processes that run programs are not confined on this machine: only the interpreter's own limits "
    f"hold; see `{PROGRAM} doctor`"
)

Submission = tuple[str, str, Fraction] | tuple[str, str, Fraction, bool]
"""The arguments of `Verifier.judge`: thought, text, reference answer, and whether the text is finished."""


@dataclass(frozen=True, slots=True)
class Misgraded:
    """A text that the verifier misjudged, so it cannot be trusted with this problem."""

    problem: str
    """Its id."""
    answer: Fraction
    """Its reference answer, which `text` states."""
    thought: str
    text: str
    reason: Reason
    """The verifier's reason for this text; ACCEPTED if it also accepted the text for another answer."""


class Verifier:
    """Judges texts in a sandbox that it owns; a context manager, safe to use from several threads.

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

    def __exit__(self, *_: object) -> None:
        # The threads use the sandbox, so they end first.
        self._threads.shutdown(cancel_futures=True)
        self._sandbox.__exit__()

    @property
    def confined(self) -> bool:
        """Whether the processes that run programs are confined."""
        return self._sandbox.confined

    def judge(self, thought: str, text: str, answer: Fraction, finished: bool = True) -> Verdict:
        """Judge a text in the named thought by the reference answer.

        An unfinished text, which was cut off at its length limit, has no answer: its end is unknown, and a
        number may have lost its last digits.
        """
        return self._guarded(text, finished, lambda: self._judge(thought, text, answer))

    def judge_attempt(self, thought: str, text: str, answer: Fraction, finished: bool = True) -> Verdict:
        """Judge a student's answer: its value counts in any form, and the verdict records the form apart."""
        return self._guarded(text, finished, lambda: self._read(thought, text, answer))

    def judge_rationale(
        self, thought: str, text: str, problem: Problem, finished: bool = True, *, derived: bool = False
    ) -> Verdict:
        """Judge a rationale to be taught: form and answer must be right, and follow from the question.

        If the question can be asked with other numbers, the same steps must give the answer that follows
        from those. A `derived` text is not tried with them: written from the problem's own derivation, it
        always gives that answer.
        """
        return self._guarded(text, finished, lambda: self._reasoned(thought, text, problem, derived))

    def _guarded(self, text: str, finished: bool, judge: Callable[[], Verdict]) -> Verdict:
        if not finished:
            return UNFINISHED
        if len(text) > MAX_TEXT or LONG_NUMBER.search(text):
            return TOO_LONG
        watch = Stopwatch()
        try:
            verdict = judge()
        except RecursionError:
            verdict = TOO_DEEP
        return replace(verdict, timing=watch.read())

    def _judge(self, thought: str, text: str, answer: Fraction) -> Verdict:
        return compare(thoughts.thought(thought).outcome(text, self._sandbox), answer)

    def _read(self, thought: str, text: str, answer: Fraction) -> Verdict:
        verdict = self._judge(thought, text, answer)
        if verdict.form:
            return verdict
        freely = read_freely(thoughts.thought(thought), text, self._sandbox)
        return verdict if freely is None else replace(compare(freely, answer), form=False)

    def _reasoned(self, thought: str, text: str, problem: Problem, derived: bool) -> Verdict:
        verdict, kind = self._judge(thought, text, problem.answer), thoughts.thought(thought)
        if not verdict.accepted or not isinstance(kind, Examined):
            return verdict
        flaw = kind.flaw(text, Origins(problem.question), problem.answer)
        if flaw is not None:
            return Verdict(reason=flaw.reason, value=problem.answer, detail=flaw.detail)
        return (None if derived else self._accident(kind, text, problem)) or verdict

    def _accident(self, kind: Examined, text: str, problem: Problem) -> Verdict | None:
        """The verdict on a text that is right by accident; None if it is not, or if that is unknown."""
        checks = 0
        for question in renumberings(problem):
            values = kind.renumbered(text, question, self._sandbox)
            # Without values the numbers could not be replaced, which proves nothing.
            if values and question.answer not in values:
                given, right = _shown(min(values)), _shown(question.answer)
                detail = f"with {question}, it gives {given} instead of {right}"
                return Verdict(reason=Reason.BY_ACCIDENT, value=problem.answer, detail=detail)
            checks += bool(values)
            if checks == CHECKS:
                return None
        return None

    def judge_many(self, submissions: Iterable[Submission]) -> list[Verdict]:
        """Judge each submission as `judge` does, in parallel; the verdicts are in the same order."""
        return list(self._threads.map(lambda submission: self.judge(*submission), submissions))

    def judge_attempts(self, submissions: Iterable[Submission]) -> list[Verdict]:
        """Judge each submission as `judge_attempt` does, in parallel; the verdicts are in the same order."""
        return list(self._threads.map(lambda submission: self.judge_attempt(*submission), submissions))

    def judge_rationales(self, submissions: Iterable[tuple[str, str, Problem, bool]]) -> list[Verdict]:
        """Judge each submission as `judge_rationale` does, in parallel; verdicts are in the same order."""
        return list(self._threads.map(lambda submission: self.judge_rationale(*submission), submissions))

    def self_check(self, problems: Sequence[Problem]) -> list[Misgraded]:
        """Judge the reference answers themselves, written in every way that a text may state them.

        Each text must be accepted for its answer and rejected for another. Returns at most one finding per
        problem; an empty list means that the verifier can be trusted with these problems.
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
            Misgraded(problem.id, problem.answer, *wrong[problem.answer])
            for problem in problems
            if problem.answer in wrong
        ]


def compare(outcome: Outcome, answer: Fraction) -> Verdict:
    """The verdict on an outcome; numbers are equal if they are the same rational number.

    An outcome with a fault keeps its reason whatever the answer is, so its verdict reveals nothing about the
    answer.
    """
    if outcome.reason.accepted and outcome.value != answer:
        assert outcome.value is not None
        detail = f"{_shown(outcome.value)} instead of {_shown(answer)}"
        rounded = is_rounding(answer, outcome.value)
        reason = Reason.ROUNDED_REFERENCE if rounded else Reason.WRONG_ANSWER
        return Verdict(reason=reason, value=outcome.value, detail=detail)
    # These two mean that a text does not have the form of its thought.
    form = outcome.reason not in (Reason.NO_ANSWER, Reason.SYNTAX_ERROR)
    return Verdict(reason=outcome.reason, value=outcome.value, detail=outcome.detail, form=form)


def is_rounding(rounded: Fraction, value: Fraction) -> bool:
    """Whether the first number is the second, rounded or cut off to two or more decimals: 3.33 for 10/3."""
    places, needed = decimal_places(rounded), decimal_places(value)
    if not places or places < 2 or (needed is not None and needed <= places):
        return False
    # Allows rounding to nearest and cutting off, but not rounding up otherwise.
    return abs(rounded - value) * 10**places < 1 and abs(rounded) <= abs(value) + Fraction(1, 2 * 10**places)


def statements(answer: Fraction) -> Iterator[tuple[str, str]]:
    """Yield pairs of a thought and a text that states just this answer, in the ways that formats allow."""
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
