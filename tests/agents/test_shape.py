"""Depth and width of derivations."""

import pytest

from fdd.agents.symbolic.shape import Shape, shape_of
from fdd.domain import Problem, problem_id


def made(question: str, solution: str, answer: int) -> Problem:
    key = problem_id(question, answer)  # type: ignore[arg-type]
    return Problem(id=key, question=question, answer=answer, solution=solution, source="test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("solution", "answer", "shape"),
    [
        ("3 + 4 = 7", 7, Shape(depth=1, width=1)),
        ("3 + 4 = 7\n7 * 5 = 35", 35, Shape(depth=2, width=1)),
        ("3 + 4 = 7\n5 * 6 = 30\n7 + 30 = 37", 37, Shape(depth=2, width=2)),
        ("3 * 4 + 5 * 6 = 42", 42, Shape(depth=2, width=2)),
        ("3 + 4 = 7\n7 * 5 = 35\n35 - 6 = 29", 29, Shape(depth=3, width=1)),
    ],
)
def test_depth_is_the_longest_chain_and_width_the_widest_level(
    solution: str, answer: int, shape: Shape
) -> None:
    question = "There are 3 red, 4 blue, 5 green and 6 white kites. How many is that?"
    assert shape_of(made(question, solution, answer)) == shape


def test_a_solution_that_cannot_be_read_has_no_shape() -> None:
    assert shape_of(made("How many are 3 kites?", "", 3)) is None
