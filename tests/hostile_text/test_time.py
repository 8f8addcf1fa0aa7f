"""The longest texts that the parsers take, each made to be slow: the time grows as the text does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import pytest

from fdd.agents.checking.equations import MAX_LENGTH, Refused, read_equation
from fdd.agents.models.prompting import quote
from fdd.agents.models.replies import read_parts
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.agents.thoughts import known, thought
from fdd.agents.verifier import MAX_TEXT as LONGEST_RATIONALE
from fdd.agents.verifier import Verifier
from fdd.amounts import parse_number
from fdd.domain import MAX_TEXT, Reason, Refusal
from fdd.matching import masked
from tests.growth import is_linear

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


def filled(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_solution_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def read(length: int) -> None:
        for repair in (False, True):
            derive(QUESTION, filled(piece, length), Fraction(11), repair=repair)

    assert is_linear(read, MAX_TEXT)


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_question_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def explain(length: int) -> None:
        read = derive(f"{filled(piece, length)} {QUESTION}", "9 + 2 = 11 things.", Fraction(11))
        if isinstance(read, Derivation):
            for name in known():
                thought(name).render(read)

    assert is_linear(explain, MAX_TEXT - 100)


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_rationale_takes_time_in_proportion_to_its_length(piece: str, verifier: Verifier) -> None:
    def judge(length: int) -> None:
        for name in ("cot", "decompose", "eot", "kp_cot"):
            verifier.judge(name, f"{filled(piece, length)}\nThe answer is 11.", Fraction(11))

    assert is_linear(judge, LONGEST_RATIONALE - 20)


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_reply_takes_time_in_proportion_to_its_length(piece: str) -> None:
    quarter_of_a_megabyte = 2**18
    for read in (
        lambda length: read_parts(f"  <think>{filled(piece, length)}", ("answer",)),
        lambda length: read_parts(filled(piece, length), ("problem", "answer")),
        lambda length: quote(filled(piece, length)),
    ):
        assert is_linear(read, quarter_of_a_megabyte)


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_other_readers_take_time_in_proportion_to_the_length(piece: str) -> None:
    assert is_linear(lambda length: masked(filled(piece, length)), MAX_TEXT)
    assert is_linear(lambda length: parse_number(filled(piece, length)), 2**20)


@pytest.mark.parametrize("piece", ["(", "-", "x ** ", "x*", "((x", "a ", "1", ".1", "x", "\n", "=", "a1_"])
@pytest.mark.parametrize("longest", [MAX_LENGTH, 2**20])
def test_an_equation_takes_time_in_proportion_to_its_length(longest: int, piece: str) -> None:
    def read(length: int) -> None:
        with suppress(Refused):
            read_equation(f"x = {filled(piece, length)}")

    with pytest.raises(Refused):
        read_equation(f"x = {filled(piece, longest)}")
    assert is_linear(read, longest)


def test_results_that_square_themselves_are_not_carried_on_without_end() -> None:
    """Each wrong result is used twice by the next step, so that with repair its digits double."""

    def repair(count: int) -> None:
        steps = " ".join(f"{n} * {n} = {n + 1}." for n in range(100, 100 + count))
        derive(QUESTION, f"9 * 9 = 100. {steps}", Fraction(100 + count), repair=True)

    assert is_linear(repair, 60)


@pytest.mark.parametrize("text", ["9" * 5000, "9," * 3000, "1" * MAX_TEXT + "0"])
def test_a_number_too_long_to_be_computed_with_is_no_part_of_a_derivation(text: str) -> None:
    for question, solution in ((f"{QUESTION} {text}", "9 + 2 = 11"), (QUESTION, f"9 + 2 = 11. {text}")):
        refused = derive(question, solution, Fraction(11))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.NO_DERIVATION
