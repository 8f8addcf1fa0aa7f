"""Decomposition: subquestions answered in order, the last being the problem's own question.

After Divide-or-Conquer (Wu et al., arXiv 2402.15000) and Socratic CoT (Shridhar et al., arXiv 2212.00193):

Question 1: How many kites did the shop sell in June?
Answer 1: 48 / 2 = 24
Question 2: How many kites did the shop sell in both months?
Answer 2: 48 + 24 = 72
The answer is 72.

The questions alone are a plan, for a student that only plans while another model solves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.wording.infix import with_values
from fdd.agents.symbolic.wording.keypoints import read_keypoints, with_name
from fdd.agents.symbolic.wording.questioning import question_of
from fdd.agents.thoughts import cot
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.domain import Reason

PROMPT = f"""\
Break the problem into subquestions and answer them in order.
- Each subquestion stands on one line, `Question 1: How many kites did the shop sell in June?`, and its answer
  on the next, `Answer 1: 48 / 2 = 24`. Both have the same number, which counts from 1.
- A subquestion asks for one thing that follows in one step from the problem and the answers before it. It is
  a full sentence that names who and what is meant, and it holds no operation and no result.
- Each answer writes out its operation and what it comes to. Reckon with numbers, not with unknowns such as x.
- The last subquestion is the question of the problem itself.
{cot.ARITHMETIC}\
"""
PLAN_CUE = "Split the problem into questions. Do not answer them."
"""Shown to a student that writes only the plan."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """One subquestion per step, worded after the worked solution's sentence for the step."""

    cue: str = "Split the problem into questions and answer them."
    prompt: str = PROMPT

    def render(self, derivation: Derivation) -> str:
        write = with_values(derivation)
        steps = zip(_questions(derivation), derivation.steps, strict=True)
        lines = [
            f"Question {number}: {question}\n"
            f"Answer {number}: {write(step.expression)} = {write_plain(step.value)}"
            for number, (question, step) in enumerate(steps, start=1)
        ]
        return "\n".join([*lines, f"The answer is {write_plain(derivation.answer)}."])

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:
        """The number in the last line, with a fault if the arithmetic of the answers is wrong."""
        try:
            solution = _solution(text)
        except ValueError as error:
            return fault(Reason.NO_ANSWER, str(error))
        return cot.THOUGHT.outcome(solution, sandbox)

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        return cot.THOUGHT.flaw(_solution(text), origins, answer)

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:
        return cot.THOUGHT.renumbered(_solution(text), question, sandbox)


def plan(text: str) -> str:
    """The numbered questions of a decomposition, one per line; raises ValueError for any other text."""
    questions, _, _ = _read(text)
    return "\n".join(f"Question {number}: {question}" for number, question in enumerate(questions, start=1))


def _solution(text: str) -> str:
    """The answers and the last line as a chain of thought; raises ValueError for any other text."""
    _, answers, last = _read(text)
    return "\n".join([*answers, last])


def _read(text: str) -> tuple[list[str], list[str], str]:
    """The questions, their answers and the last line; raises ValueError with what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or cot.read_answer(lines[-1]) is None:
        raise ValueError("the last line is not `The answer is N.`")
    contents = []
    for place, line in enumerate(lines[:-1]):
        mark = f"{('Question', 'Answer')[place % 2]} {place // 2 + 1}:"
        content = line.removeprefix(mark).strip()
        if content in ("", line):
            raise ValueError(f"{line[:60]!r} stands where `{mark}` and its text are due")
        contents.append(content)
    if not contents or len(contents) % 2:
        raise ValueError("the last question has no answer" if contents else "there is no `Question 1:`")
    return contents[::2], contents[1::2], lines[-1]


def _questions(derivation: Derivation) -> Iterator[str]:
    """A question for each step, all different."""
    write = with_values(derivation)
    core = read_keypoints(derivation).core
    asked = {core}
    for step in derivation.steps[:-1]:
        told = question_of(step, derivation.question) or core
        # Only the first question needs the person's name; the later ones can use a pronoun.
        options = (with_name(told, derivation.question) if len(asked) == 1 else told, f"{told[:-1]} then?")
        fresh = (option for option in options if told != core and option not in asked)
        question = next(fresh, f"How much is {write(step.expression)}?")
        asked.add(question)
        yield question
    yield core


THOUGHT = Decomposition()
