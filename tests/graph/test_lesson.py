import asyncio
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.models.request import Answer
from fdd.agents.teacher import Written
from fdd.agents.verifier import Verifier
from fdd.domain import Problem, Reason, Refusal, Verdict
from fdd.graph.lesson import LessonContext, LessonState, Task, build_lesson, votes

GOLDEN = Path(__file__).parent.parent / "golden"
PROBLEM = Problem(id="p-1", question="What is 6 times 7?", answer=Fraction(42), solution="", source="test")
BOXES = replace(
    PROBLEM,
    question="Tina fills 6 boxes with 7 cakes each. How many cakes are there?",
    solution="There are 6*7 = <<6*7=42>>42 cakes.",
)
RIGHT, WRONG, BROKEN = "answer = 6 * 7", "answer = 6 + 7", "answer ="
SPOKEN_RIGHT, SPOKEN_WRONG = "6 * 7 = 42.\nThe answer is 42.", "6 + 7 = 13.\nThe answer is 13."
UNREACHABLE = Refusal(reason=Reason.CALL_FAILED, detail="no answer after 8 tries")


class ScriptedTeacher:
    """Gives the scripted replies in order, and fails loudly when asked for more."""

    name = "scripted"

    def __init__(self, *replies: str | Refusal) -> None:
        self.replies = list(replies)
        self.seen: list[Verdict | None] = []
        self.repaired: list[tuple[str, int]] = []
        """Thought and sample of each."""

    def prompt_hash(self, thought: str) -> str:
        return f"hash of {thought}"

    async def explain(self, problem: Problem, thought: str) -> Written:
        return self._next(problem, thought, None)

    async def solve(self, problem: Problem, thought: str, sample: int) -> Written:
        return self._next(problem, f"{thought} {sample}", None)

    async def repair(
        self, problem: Problem, thought: str, rationale: str, verdict: Verdict, sample: int = 0
    ) -> Written:
        assert rationale != RIGHT
        self.repaired.append((thought, sample))
        return self._next(problem, thought, verdict)

    def _next(self, problem: Problem, thought: str, verdict: Verdict | None) -> Written:
        assert self.replies, f"no scripted reply left for {problem.id} in {thought}"
        self.seen.append(verdict)
        return Answer(content=self.replies.pop(0))


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


def give(teacher: ScriptedTeacher, verifier: Verifier) -> LessonState:
    """A lesson on a problem whose answer is known."""
    return run((Task(thought="pot"),), LessonContext(teacher=teacher, verifier=verifier))


def solve(solver: ScriptedTeacher, verifier: Verifier) -> LessonState:
    """A lesson on a problem whose answer is only proposed: two solutions in each of two thoughts."""
    tasks = tuple(Task(thought=name, sample=sample) for sample in (0, 1) for name in ("pot", "cot"))
    context = LessonContext(teacher=ScriptedTeacher(), verifier=verifier, solver=solver, agreement=0.75)
    return run(tasks, context)


def run(tasks: tuple[Task, ...], context: LessonContext, problem: Problem = PROBLEM) -> LessonState:
    lesson = build_lesson().compile()
    state = LessonState(problem=problem, tasks=tasks)
    return asyncio.run(lesson.ainvoke(state, context=context, version="v2")).value


def reasons(state: LessonState) -> list[Reason]:
    return [state.verdict(taken).reason for taken in state.tries]


def test_a_right_rationale_is_kept_at_once(verifier: Verifier) -> None:
    result = give(ScriptedTeacher(RIGHT), verifier)
    assert result.outcome == "kept"
    assert reasons(result) == [Reason.ACCEPTED]


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
    result = give(ScriptedTeacher(WRONG, BROKEN), verifier)
    assert result.outcome == "quarantined"
    assert reasons(result) == [Reason.WRONG_ANSWER, Reason.SYNTAX_ERROR]


def test_an_expert_explains_what_the_teacher_cannot(verifier: Verifier) -> None:
    teacher, expert = ScriptedTeacher(WRONG, BROKEN), ScriptedTeacher(WRONG, RIGHT)
    tasks = (Task(thought="pot"),)
    result = run(tasks, LessonContext(teacher=teacher, verifier=verifier, expert=expert))
    assert result.outcome == "kept"
    assert [taken.reply.task.by_expert for taken in result.tries] == [False, False, True, True]
    assert [taken.repair for taken in result.tries] == [False, True, False, True]
    assert not teacher.replies and not expert.replies


def test_an_expert_is_not_asked_about_what_the_teacher_explains_or_more_than_once(
    verifier: Verifier,
) -> None:
    tasks = (Task(thought="pot"), Task(thought="cot"))
    idle = ScriptedTeacher()
    teacher = ScriptedTeacher(RIGHT, SPOKEN_WRONG, SPOKEN_WRONG)
    assert run(tasks, LessonContext(teacher=teacher, verifier=verifier, expert=idle)).outcome == "kept"

    teacher = ScriptedTeacher(WRONG, SPOKEN_WRONG, WRONG, SPOKEN_WRONG)
    expert = ScriptedTeacher(UNREACHABLE, UNREACHABLE)
    result = run(tasks, LessonContext(teacher=teacher, verifier=verifier, expert=expert))
    assert result.outcome == "quarantined"
    assert not expert.replies


def test_an_answer_without_reasoning_is_repaired_and_not_taught(verifier: Verifier) -> None:
    teacher = ScriptedTeacher("answer = 42", "answer = 6 * 7\nproduct = 6 * 7")
    result = give(teacher, verifier)
    assert result.outcome == "quarantined"
    assert reasons(result) == [Reason.NO_REASONING, Reason.UNUSED_STEP]


def test_a_rationale_that_is_right_by_accident_is_repaired_and_not_taught(verifier: Verifier) -> None:
    teacher = ScriptedTeacher("answer = 6 + 36", RIGHT)
    result = run((Task(thought="pot"),), LessonContext(teacher=teacher, verifier=verifier), BOXES)
    assert reasons(result) == [Reason.BY_ACCIDENT, Reason.ACCEPTED]
    assert result.outcome == "kept"


def test_a_refusal_is_a_verdict_with_its_reason(verifier: Verifier) -> None:
    refusal = Refusal(reason=Reason.NO_DERIVATION, detail="no steps")
    result = give(ScriptedTeacher(refusal, refusal), verifier)
    assert result.outcome == "quarantined"
    assert result.tries[-1].verdict == Verdict(reason=Reason.NO_DERIVATION, detail="no steps")
    assert result.tries[-1].reply.text == ""


def test_a_teacher_that_did_not_answer_is_not_asked_to_repair(verifier: Verifier) -> None:
    result = give(ScriptedTeacher(UNREACHABLE), verifier)
    assert result.outcome == "quarantined"
    assert reasons(result) == [Reason.CALL_FAILED]


def test_each_thought_has_its_own_verdict_and_repair(verifier: Verifier) -> None:
    teacher = ScriptedTeacher(WRONG, SPOKEN_RIGHT, BROKEN)
    tasks = (Task(thought="pot"), Task(thought="cot"))
    result = run(tasks, LessonContext(teacher=teacher, verifier=verifier))
    assert result.outcome == "kept"
    assert [(taken.thought, taken.repair, taken.verdict.accepted) for taken in result.tries] == [
        ("pot", False, False),
        ("cot", False, True),
        ("pot", True, False),
    ]


def test_a_proposed_answer_is_believed_when_enough_solutions_come_to_it(verifier: Verifier) -> None:
    result = solve(ScriptedTeacher(RIGHT, SPOKEN_RIGHT, WRONG, SPOKEN_RIGHT), verifier)
    assert result.outcome == "kept"
    assert reasons(result).count(Reason.ACCEPTED) == 3


def test_solutions_of_an_answer_that_too_few_come_to_are_not_taught(verifier: Verifier) -> None:
    result = solve(ScriptedTeacher(RIGHT, SPOKEN_RIGHT, WRONG, SPOKEN_WRONG), verifier)
    assert result.outcome == "quarantined"
    assert reasons(result) == [Reason.NO_AGREEMENT] * 4
    assert result.verdict(result.tries[0]).detail == "2 of 4 solutions come to the proposed answer"


def test_solutions_that_agree_on_another_answer_dispute_the_proposed_one(verifier: Verifier) -> None:
    result = solve(ScriptedTeacher(WRONG, SPOKEN_WRONG, WRONG, SPOKEN_RIGHT), verifier)
    assert result.outcome == "quarantined"
    assert reasons(result) == [Reason.DISPUTED] * 4
    assert result.verdict(result.tries[-1]).detail == "3 of 4 solutions agree on 13, not on 42"


def test_a_solution_without_reasoning_has_no_vote(verifier: Verifier) -> None:
    result = solve(ScriptedTeacher(RIGHT, SPOKEN_RIGHT, *["answer = 42", "The answer is 42."] * 2), verifier)
    assert result.outcome == "quarantined"
    assert reasons(result).count(Reason.NO_REASONING) == 4
    assert [vote.value for vote in votes(result)] == [42, 42, None, None]


def test_an_independent_solution_is_not_led_to_the_steps_of_the_proposed_one(verifier: Verifier) -> None:
    solver = ScriptedTeacher("answer = 6 + 36")
    context = LessonContext(teacher=ScriptedTeacher(), verifier=verifier, solver=solver)
    result = run((Task(thought="pot"),), context, BOXES)
    assert [taken.verdict.reason for taken in result.tries] == [Reason.BY_ACCIDENT]
    assert solver.repaired == []


def test_an_independent_solution_is_repaired_for_its_form_and_never_for_its_value(verifier: Verifier) -> None:
    solver = ScriptedTeacher(BROKEN, SPOKEN_RIGHT, WRONG, SPOKEN_RIGHT, RIGHT)
    result = solve(solver, verifier)
    assert result.outcome == "kept"
    assert [verdict.reason for verdict in solver.seen if verdict] == [Reason.SYNTAX_ERROR]


def test_repairs_of_samples_that_failed_alike_are_independent_of_each_other(verifier: Verifier) -> None:
    solver = ScriptedTeacher(BROKEN, SPOKEN_RIGHT, BROKEN, SPOKEN_RIGHT, RIGHT, WRONG)
    result = solve(solver, verifier)
    assert solver.repaired == [("pot", 0), ("pot", 1)]
    assert [vote.value for vote in votes(result)] == [42, 42, 13, 42]


def test_a_solution_that_is_missing_counts_against_the_answer(verifier: Verifier) -> None:
    result = solve(ScriptedTeacher(RIGHT, SPOKEN_RIGHT, UNREACHABLE, UNREACHABLE), verifier)
    assert reasons(result) == [Reason.NO_AGREEMENT] * 2 + [Reason.CALL_FAILED] * 2


def test_shape_of_the_inner_graph_is_the_one_in_the_readme() -> None:
    drawn = build_lesson().compile().get_graph().draw_mermaid(with_styles=False)
    assert drawn == (GOLDEN / "lesson.mmd").read_text()
