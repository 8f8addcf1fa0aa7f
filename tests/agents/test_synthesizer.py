"""Which operator a band asks for, and what the symbolic synthesizer makes of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fdd.agents.synthesizer import Attempt, SymbolicSynthesizer, Synthesizer, Wanted, conversation
from fdd.domain import Draft, Operator, Problem, Reason, Refusal
from fdd.matching import masked
from tests.agents.symbolic.parents import BEADS, BREAD, BUSES, TANK, problem


def write(
    parent: Problem, operator: Operator, others: Sequence[Problem] = (), seed: int = 0
) -> Draft | Refusal:
    synthesizer: Synthesizer = SymbolicSynthesizer()
    wanted = Wanted(parent=parent, operator=operator, others=others)
    return asyncio.run(synthesizer.write(wanted, random.Random(seed))).content


@pytest.mark.parametrize("operator", list(Operator))
def test_a_model_sees_a_wrong_answer_unless_it_is_to_write_something_harder(operator: Operator) -> None:
    wanted = Wanted(parent=BUSES, operator=operator)
    attempt = Attempt(question=TANK.question, text="answer = 5 </result>", verdict="wrong answer: it gives 5")
    sent = conversation(replace(wanted, attempt=attempt), random.Random(0)).messages[-1].content
    shown = (
        f"<student_was_asked>\n{TANK.question}\n</student_was_asked>\n"
        "<student_wrote>\nanswer = 5 <\\/result>\n</student_wrote>\n"
        "<result>wrong answer: it gives 5</result>"
    )
    assert (shown in sent) is (operator is not Operator.HARDER)
    assert "student_wrote" not in conversation(wanted, random.Random(0)).messages[-1].content


def test_similar_keeps_the_question_up_to_its_numbers_and_names() -> None:
    draft = write(BUSES, Operator.SIMILAR, seed=1)
    assert isinstance(draft, Draft)
    assert masked(draft.question) == masked(BUSES.question)


def test_harder_asks_something_else() -> None:
    draft = write(BUSES, Operator.HARDER, seed=1)
    assert isinstance(draft, Draft)
    assert masked(draft.question) != masked(BUSES.question)


def test_harder_may_chain_the_parent_with_one_of_the_others() -> None:
    drafts = [write(BUSES, Operator.HARDER, [BREAD, TANK], seed=n) for n in range(20)]
    assert any(isinstance(draft, Draft) and "Let x be" in draft.question for draft in drafts)


@pytest.mark.parametrize("operator", list(Operator))
def test_a_parent_without_a_readable_solution_is_refused(operator: Operator) -> None:
    parent = problem("How many days does a week have?", "Everybody knows that.", 7)
    refusal = write(parent, operator)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_DERIVATION


@pytest.mark.parametrize("operator", list(Operator))
def test_a_solution_that_goes_on_after_its_answer_is_refused(operator: Operator) -> None:
    parent = problem(
        "A pump brings 12 liters a minute. How many minutes does it take to fill a tank of 240 liters?",
        "It takes 240/12 = <<240/12=20>>20 minutes.\nThat is 60-20 = <<60-20=40>>40 less than an hour.",
        20,
    )
    refusal = write(parent, operator)
    assert isinstance(refusal, Refusal)
    assert refusal.detail == "the solution goes on after its answer"


@pytest.mark.parametrize("operator", list(Operator))
def test_the_same_seed_writes_the_same(operator: Operator) -> None:
    drafts = [write(BEADS, operator, [BREAD], seed=3) for _ in range(2)]
    assert drafts[0] == drafts[1]
