from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from agents.verifier import Verifier
from domain import Problem, Reason, Refusal, Verdict
from graph.lesson import LessonContext, LessonState, build_lesson

GOLDEN = Path(__file__).parent.parent / "golden"
PROBLEM = Problem(id="p-1", question="What is 6 times 7?", answer=Fraction(42), solution="", source="test")
RIGHT, WRONG = "answer = 6 * 7", "answer = 6 + 7"


class ScriptedTeacher:
    """Gives the scripted replies in order, and fails loudly when asked for more."""

    name = "scripted"

    def __init__(self, *replies: str | Refusal) -> None:
        self.replies = list(replies)
        self.seen: list[Verdict | None] = []

    def prompt_hash(self, thought: str) -> str:
        return f"hash of {thought}"

    def explain(self, problem: Problem, thought: str) -> str | Refusal:
        return self._next(problem, thought, None)

    def repair(self, problem: Problem, thought: str, rationale: str, verdict: Verdict) -> str | Refusal:
        assert rationale != RIGHT
        return self._next(problem, thought, verdict)

    def _next(self, problem: Problem, thought: str, verdict: Verdict | None) -> str | Refusal:
        assert self.replies, f"no scripted reply left for {problem.id} in {thought}"
        self.seen.append(verdict)
        return self.replies.pop(0)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


def give(teacher: ScriptedTeacher, verifier: Verifier) -> LessonState:
    lesson = build_lesson().compile()
    context = LessonContext(teacher=teacher, verifier=verifier)
    return lesson.invoke(LessonState(problem=PROBLEM, thought="pot"), context=context, version="v2").value


def test_a_right_rationale_is_kept_at_once(verifier: Verifier) -> None:
    result = give(ScriptedTeacher(RIGHT), verifier)
    assert result.outcome == "kept"
    assert [taken.verdict.reason for taken in result.tries] == [Reason.ACCEPTED]


def test_a_wrong_rationale_is_repaired_once_with_its_verdict(verifier: Verifier) -> None:
    teacher = ScriptedTeacher(WRONG, RIGHT)
    result = give(teacher, verifier)
    assert result.outcome == "kept"
    assert [taken.repair for taken in result.tries] == [False, True]
    first, second = teacher.seen
    assert first is None
    assert second is not None
    assert (second.reason, second.value) == (Reason.WRONG_ANSWER, Fraction(13))


def test_a_rationale_that_stays_wrong_is_quarantined(verifier: Verifier) -> None:
    result = give(ScriptedTeacher(WRONG, "answer ="), verifier)
    assert result.outcome == "quarantined"
    assert [taken.verdict.reason for taken in result.tries] == [Reason.WRONG_ANSWER, Reason.SYNTAX_ERROR]


def test_a_refusal_is_a_verdict_with_its_reason(verifier: Verifier) -> None:
    refusal = Refusal(reason=Reason.NO_DERIVATION, detail="no steps")
    result = give(ScriptedTeacher(refusal, refusal), verifier)
    assert result.outcome == "quarantined"
    assert result.tries[-1].verdict == Verdict(reason=Reason.NO_DERIVATION, detail="no steps")
    assert result.tries[-1].reply.text == ""


def test_shape_of_the_inner_graph_is_the_one_in_the_readme() -> None:
    drawn = build_lesson().compile().get_graph().draw_mermaid(with_styles=False)
    assert drawn == (GOLDEN / "lesson.mmd").read_text()
