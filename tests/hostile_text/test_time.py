"""The longest texts that the parsers take, each made to be slow: read, or refused, in little time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest

from agents.equations import MAX_LENGTH, Refused, read_equation
from agents.prompting import quote
from agents.replies import read_parts
from agents.symbolic.derivation import Derivation
from agents.symbolic.parse import derive
from agents.thoughts import known, thought
from agents.verifier import MAX_TEXT as LONGEST_RATIONALE
from agents.verifier import Verifier
from amounts import parse_number
from domain import MAX_TEXT, Reason, Refusal
from matching import masked

SECONDS = 3.0
"""Of processor time; what is quadratic takes minutes."""

QUESTION = "Tom has 9 apples and 2 pears. How many are there?"

PIECES = {
    "line breaks": "\n",
    "blanks": " ",
    "blanks and breaks": " \n",
    "sentence ends": "a. ",
    "stops": ". ",
    "digits in groups": "1,",
    "short numbers": "1 ",
    "fractions": "1/2 ",
    "mixed numbers": "1 1/2 ",
    "sums": "1 + ",
    "steps": "9 + 2 = 11. ",
    "wrong steps": "9 + 2 = 12. ",
    "unexplained steps": "77 * 13 = 1001. ",
    "one long operation": "9+",
    "equals signs": "=",
    "asserted": "= 1 ",
    "open parentheses": "(",
    "words in parentheses": "(a",
    "open marks": "<<",
    "half marks": "<<1",
    "marks": "<<9+2=11>>11 ",
    "percent": "1% ",
    "of": "1% of ",
    "number words": "twenty ",
    "hyphens": "one-",
    "articles": "a ",
    "bullets": "- ",
    "numbered": "1. ",
    "dashes": "----",
    "headings": "####\n",
    "names": "Mary Mary's ",
    "questions": "How many? ",
    "conditions": "if there are 9, ",
    "capitals": "A",
    "times": "x ",
    "other digits": "٣",
    "tags": "<answer>",
    "thoughts": "<think>",
    "fences": "```\n",
    "currency": "$",
    "colons": "Question 1: ",
}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as verifier:
        yield verifier


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def filled(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_long_solution_is_read_or_refused_in_time(piece: str) -> None:
    solution = filled(piece, MAX_TEXT)

    def read() -> None:
        for repair in (False, True):
            derive(QUESTION, solution, Fraction(11), repair=repair)

    assert seconds(read) < SECONDS


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_long_question_is_read_and_explained_in_time(piece: str) -> None:
    question = f"{filled(piece, MAX_TEXT - 100)} {QUESTION}"

    def explain() -> None:
        read = derive(question, "9 + 2 = 11 things.", Fraction(11))
        if isinstance(read, Derivation):
            for name in known():
                thought(name).render(read)

    assert seconds(explain) < SECONDS


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_long_rationale_is_judged_in_time(piece: str, verifier: Verifier) -> None:
    text = filled(piece, LONGEST_RATIONALE - 20) + "\nThe answer is 11."

    def judge() -> None:
        for name in ("cot", "decompose", "eot", "kp_cot"):
            verifier.judge(name, text, Fraction(11))

    assert seconds(judge) < SECONDS


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_reply_of_a_quarter_of_a_megabyte_is_read_in_time(piece: str) -> None:
    text = filled(piece, 2**18)
    assert seconds(lambda: read_parts(f"  <think>{text}", ("answer",))) < SECONDS
    assert seconds(lambda: read_parts(text, ("problem", "answer"))) < SECONDS
    assert seconds(lambda: quote(text)) < SECONDS


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_other_readers_of_text_are_done_in_time(piece: str) -> None:
    assert seconds(lambda: masked(filled(piece, MAX_TEXT))) < SECONDS
    assert seconds(lambda: parse_number(filled(piece, 2**20))) < SECONDS


@pytest.mark.parametrize("piece", ["(", "-", "x ** ", "x*", "((x", "a ", "1", ".1", "x", "\n", "=", "a1_"])
def test_the_longest_equation_is_read_in_time(piece: str) -> None:
    def read() -> None:
        for text in (filled(piece, MAX_LENGTH), filled(piece, 2**20)):
            with pytest.raises(Refused):
                read_equation(f"x = {text}")

    assert seconds(read) < SECONDS


def test_results_that_square_themselves_are_not_carried_on_without_end() -> None:
    """Each wrong result is used twice by the next step, so that with repair its digits double."""
    steps = " ".join(f"{n} * {n} = {n + 1}." for n in range(100, 160))
    solution = f"9 * 9 = 100. {steps}"
    assert seconds(lambda: derive(QUESTION, solution, Fraction(160), repair=True)) < SECONDS


@pytest.mark.parametrize("text", ["9" * 5000, "9," * 3000, "1" * MAX_TEXT + "0"])
def test_a_number_too_long_to_be_computed_with_is_no_part_of_a_derivation(text: str) -> None:
    for question, solution in ((f"{QUESTION} {text}", "9 + 2 = 11"), (QUESTION, f"9 + 2 = 11. {text}")):
        refused = derive(question, solution, Fraction(11))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.NO_DERIVATION
