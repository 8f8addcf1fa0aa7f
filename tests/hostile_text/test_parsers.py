"""The parsers on any text: no exception but their own, nothing wrong, and nothing lost on a round trip."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fdd.agents.models.replies import read_parts
from fdd.agents.symbolic.derivation import Derivation, Operation, Quantity
from fdd.agents.symbolic.numbers import find_quantities, read_digits, write_like, write_plain
from fdd.agents.symbolic.reading.arithmetic import find_equations, value_of
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import cot, decompose, known, kp_cot, thought
from fdd.agents.thoughts.cot import read_answer
from tests.fuzz.oracles import (
    EquationSandbox,
    check_derivation,
    check_equation,
    check_outcome,
    check_rationales,
    check_steps,
    check_system,
)
from tests.hostile_text.strategies import EQUATIONS, PROSE, SYSTEMS, bounded
from tests.hostile_text.texts import FOUND, PROBLEMS
from tests.hostile_text.texts import SYSTEMS as SOLVED

REPLY_PIECES = ("<answer>", "</answer>", "<think>", "</think>", "7", "```\n", "\n")
PART = st.text(st.characters(exclude_characters="<")).map(str.strip)


@bounded
@given(question=PROSE, solution=PROSE)
def test_whatever_is_read_as_a_derivation_comes_to_its_answer(question: str, solution: str) -> None:
    check_derivation(question, solution)


@pytest.mark.parametrize(("question", "solution"), (*PROBLEMS, *FOUND))
def test_worked_solutions_are_read_in_every_format(question: str, solution: str) -> None:
    assert check_derivation(question, solution)


@bounded
@given(
    givens=st.lists(st.integers(2, 9999), min_size=2, max_size=6, unique=True),
    seed=st.integers(0, 2**32),
    marked=st.booleans(),
)
def test_a_worked_solution_written_from_a_chain_of_steps_is_read_back(
    givens: list[int], seed: int, marked: bool
) -> None:
    question, solution, answer = worked(givens, random.Random(seed), marked=marked)
    read = derive(question, solution, answer)
    assert isinstance(read, Derivation), read
    check_steps(read)
    check_rationales(read)
    assert all(thought(name).outcome(thought(name).render(read), EquationSandbox()).value for name in known())


def worked(givens: list[int], rng: random.Random, *, marked: bool) -> tuple[str, str, Fraction]:
    """A question with these numbers, a solution that uses each of them once, and what it comes to."""
    value, sentences = Fraction(givens[0]), list[str]()
    for given_number in givens[1:]:
        # A result that is also a number of the question could be either where it is used.
        assume(value not in givens or not sentences)
        sign = rng.choice(["+", "*"] + ["-"] * (given_number < value) + ["/"] * (value % given_number == 0))
        operation = f"{write_plain(value)} {sign} {given_number}"
        value = value_of(find_equations(operation)[0].segments[0].expression)
        mark = f"<<{operation.replace(' ', '')}={write_plain(value)}>>" if marked else ""
        sentences.append(f"That makes {operation} = {mark}{write_plain(value)} pens.")
    boxes = ", ".join(f"{number} pens" for number in givens)
    return f"Mary has boxes with {boxes}. How many pens are there?", "\n".join(sentences), value


@bounded
@given(PROSE)
def test_equations_in_prose_stand_where_they_are_said_to_and_have_a_value(text: str) -> None:
    end = 0
    for equation in find_equations(text):
        assert end <= equation.start < equation.end <= len(text)
        assert all(isinstance(value_of(segment.expression), Fraction) for segment in equation.segments)
        assert len(equation.segments) > 1 or isinstance(equation.segments[0].expression, Operation)
        end = equation.end


@bounded
@given(PROSE)
def test_quantities_of_any_text_can_be_written_as_they_stand(text: str) -> None:
    for quantity in find_quantities(text):
        original = text[quantity.start : quantity.end]
        again = write_like(quantity.value, original, quantity.form)
        assert again is None or quantity_in(again).value == quantity.value, (original, again)


def quantity_in(text: str) -> Quantity:
    (quantity,) = find_quantities(text)
    return quantity


@bounded
@given(st.fractions().map(abs))
def test_a_number_written_plainly_is_read_again(number: Fraction) -> None:
    top, _, bottom = write_plain(number).partition("/")
    assert read_digits(top) / read_digits(bottom or "1") == number


@bounded
@given(st.fractions())
def test_an_answer_line_is_read_again(number: Fraction) -> None:
    assert read_answer(f"So it is.\nThe answer is {write_plain(number)}.") == number


@bounded
@given(PROSE | PROSE.map(lambda text: f"{text}\nThe answer is 7."))
@pytest.mark.parametrize("name", known())
def test_a_rationale_of_any_text_has_a_value_or_a_reason(name: str, text: str) -> None:
    check_outcome(thought(name).outcome(text, EquationSandbox()))


@bounded
@given(EQUATIONS)
def test_equations_are_read_as_python_reads_them(text: str) -> None:
    check_equation(text)


@bounded
@given(SYSTEMS)
def test_what_solves_a_system_satisfies_its_equations(text: str) -> None:
    check_system(text)


@pytest.mark.parametrize("text", SOLVED)
def test_the_systems_to_begin_with_are_read(text: str) -> None:
    assert all(check_equation(line) for line in text.splitlines()[:-1])
    check_system(text)


@bounded
@given(parts=st.dictionaries(st.sampled_from(["problem", "solution", "answer"]), PART), around=PART)
def test_the_parts_of_a_reply_are_read_as_they_were_written(parts: dict[str, str], around: str) -> None:
    written = "".join(f"<{name}>\n{text}\n</{name}>\n" for name, text in parts.items())
    assert read_parts(f"{around}{written}{around}", list(parts)) == parts


@bounded
@given(st.lists(st.sampled_from(REPLY_PIECES)).map("".join))
def test_a_reply_of_any_tags_has_one_answer_or_none(reply: str) -> None:
    parts = read_parts(reply, ["answer"])
    assert parts is None or "<answer>" not in parts["answer"]


LINE = st.text(st.characters(categories=["L", "N", "Zs"])).map(str.strip).filter(bool)


@bounded
@given(questions=st.lists(LINE.map("{}?".format), min_size=1), core=LINE)
def test_subquestions_and_key_points_are_read_as_they_were_written(questions: list[str], core: str) -> None:
    pairs = [f"Question {n}: {question}\nAnswer {n}: 3 + 4 = 7" for n, question in enumerate(questions, 1)]
    text = "\n".join([*pairs, "The answer is 7."])
    assert decompose.plan(text) == "\n".join(f"Question {n}: {each}" for n, each in enumerate(questions, 1))
    facts = "\n".join(f"- {question}" for question in questions)
    lines = (f"{kp_cot.CORE} {core}", kp_cot.INFORMATION, facts, kp_cot.SOLUTION, text)
    parts = kp_cot.read_parts("\n".join(lines))
    assert parts == (core, tuple(questions), text)


def test_an_operation_too_long_to_be_a_problem_is_no_reason_to_fail() -> None:
    long = "9" * 900
    text = f"{long} * {long} * {long} * {long} * {long} = 1.\nThe answer is 1."
    assert cot.THOUGHT.outcome(text, EquationSandbox()).value == 1
