"""Equations: what is read, what is refused, and what the systems come to."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdd.agents.checking.equations import MAX_EQUATIONS, Refused, read_equation, solve_equations
from fdd.agents.thoughts.base import Outcome
from fdd.domain import Reason


@pytest.mark.parametrize(
    ("equations", "unknown", "value"),
    [
        (["april = 48", "may = april / 2", "total = april + may"], "total", Fraction(72)),
        (["total = april + may", "may = april / 2", "april = 48"], "total", Fraction(72)),
        (["2 * x = 7"], "x", Fraction(7, 2)),
        (["x + y = 10", "x - y = 4"], "x", Fraction(7)),
        (["a + b + c = 6", "a - b = 0", "b - c = 0"], "c", Fraction(2)),
        (["rate * hours = 120", "hours = 3"], "rate", Fraction(40)),
        (["x = 0.1 + 0.2"], "x", Fraction(3, 10)),
        (["x = -2 ** 2"], "x", Fraction(-4)),
        (["x = 2 ** 3 ** 2"], "x", Fraction(512)),
        (["x = 2 ** -1"], "x", Fraction(1, 2)),
        (["x = 7 - 2 - 1"], "x", Fraction(4)),
        (["x = 12 / 3 / 2"], "x", Fraction(2)),
        (["x = -(3 - 5) * +4"], "x", Fraction(8)),
        (["class = .5 * 8"], "class", Fraction(4)),
        (["x = 3", "x = 6 / 2"], "x", Fraction(3)),
        (["x = 3", "y + z = 4"], "x", Fraction(3)),
        (["x + y = 10", "x - y = 4", "z * y = 12 * x"], "z", Fraction(28)),
        (["x + y + a = 10", "x + y - a = 4", "b = x + y"], "a", Fraction(3)),
    ],
)
def test_linear_systems_are_solved_exactly(equations: list[str], unknown: str, value: Fraction) -> None:
    assert solve_equations(equations, unknown) == Outcome(value=value)


@pytest.mark.parametrize(
    "equations",
    [
        ["60 / x = 5"],
        ["x = 4 ** 0.5"],
        ["x ** 2 - 4 * x + 4 = 0"],
        ["x / x = 1"],
        ["x + y = 10", "x * y = 21"],
        ["x = 3", "y * y = 4"],
        ["x = 3", "y * y = 0 - 1"],
        ["2 ** x = 8"],
        ["x * x = 9 ** 9 ** 9"],
        ["x = 3", "(y + z) ** 3000 = 42"],
    ],
)
def test_systems_that_stay_nonlinear_are_refused(equations: list[str]) -> None:
    outcome = solve_equations(equations, "x")
    assert (outcome.value, outcome.reason) == (None, Reason.NONLINEAR)
    assert outcome.detail == f"not linear in its unknowns: {equations[-1]!r}"


@pytest.mark.parametrize(
    ("equations", "reason"),
    [
        (["x = 1", "x = 2"], Reason.NO_SOLUTION),
        (["x = 1", "y = 3", "y = 4"], Reason.NO_SOLUTION),
        (["x + y = 3"], Reason.MANY_SOLUTIONS),
        (["x + y = 3", "2 * x + 2 * y = 7"], Reason.NO_SOLUTION),
        (["x = x"], Reason.MANY_SOLUTIONS),
        (["x + y = 3", "y + z = 4", "x + y = 3"], Reason.MANY_SOLUTIONS),
        (["y = 3"], Reason.NO_ANSWER),
        ([], Reason.NO_ANSWER),
        (["x = 1 / 0"], Reason.RUNTIME_ERROR),
        (["x = 0 ** -1"], Reason.RUNTIME_ERROR),
    ],
)
def test_systems_without_one_value_say_why(equations: list[str], reason: Reason) -> None:
    outcome = solve_equations(equations, "x")
    assert (outcome.value, outcome.reason) == (None, reason)
    assert outcome.detail
    assert "\n" not in outcome.detail


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = __import__('os').system('id')", Reason.FORBIDDEN),
        ("x = open(file)", Reason.FORBIDDEN),
        ("x = y.__class__", Reason.FORBIDDEN),
        ("x = y[0]", Reason.FORBIDDEN),
        ("x = lambda: 0", Reason.SYNTAX_ERROR),
        ("x = 'text'", Reason.SYNTAX_ERROR),
        ("x == 3", Reason.SYNTAX_ERROR),
        ("x <= 3", Reason.SYNTAX_ERROR),
        ("x := 3", Reason.SYNTAX_ERROR),
        ("x + 3", Reason.SYNTAX_ERROR),
        ("x = 2 y", Reason.SYNTAX_ERROR),
        ("x = 2x", Reason.SYNTAX_ERROR),
        ("x = 1e5", Reason.SYNTAX_ERROR),
        ("x = 0x10", Reason.SYNTAX_ERROR),
        ("x = 1_000", Reason.SYNTAX_ERROR),
        ("x = 1.2.3", Reason.SYNTAX_ERROR),
        ("x = 3 +", Reason.SYNTAX_ERROR),
        ("x = * 3", Reason.SYNTAX_ERROR),
        ("x = )", Reason.SYNTAX_ERROR),
        ("x = (3", Reason.SYNTAX_ERROR),
        ("= 3", Reason.SYNTAX_ERROR),
        ("x = ", Reason.SYNTAX_ERROR),
        ("x = 3 // 2", Reason.SYNTAX_ERROR),
        ("x = 3\x00", Reason.SYNTAX_ERROR),
        ("x = \N{CYRILLIC SMALL LETTER IE}", Reason.SYNTAX_ERROR),
        ("\N{MATHEMATICAL ITALIC SMALL X} = 3", Reason.SYNTAX_ERROR),
        ("x = \N{FULLWIDTH DIGIT THREE}", Reason.SYNTAX_ERROR),
        ("x = \ud800", Reason.SYNTAX_ERROR),
        ("x = " + "(" * 100 + "1" + ")" * 100, Reason.SYNTAX_ERROR),
        ("x = " + "-" * 300 + "1", Reason.SYNTAX_ERROR),
        ("x = " + "2 ** " * 60 + "1", Reason.SYNTAX_ERROR),
        ("x = " + "1 + " * 200 + "1", Reason.MEMORY_LIMIT),
        ("x = " + "9" * 10_000_000, Reason.MEMORY_LIMIT),
    ],
)
def test_anything_but_arithmetic_is_refused(text: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_equation(text)
    assert refused.value.outcome.reason is reason
    assert len(refused.value.outcome.detail) < 200
    assert refused.value.outcome.detail.isascii()


@pytest.mark.parametrize(
    "equations",
    [
        ["x = 9 ** 9 ** 9"],
        ["x = 1 ** 10 ** 9"],
        ["x = 0.1 ** 99999"],
        ["x1 = 99", *(f"x{i + 1} = x{i} * x{i}" for i in range(1, 40)), "x = x40"],
        [f"x{i + 1} = x{i} + 1" for i in range(5000)],
    ],
)
def test_numbers_and_systems_that_grow_without_end_are_stopped(equations: list[str]) -> None:
    assert solve_equations(equations, "x").reason is Reason.MEMORY_LIMIT


def test_the_longest_system_allowed_is_solved_even_in_the_worst_order() -> None:
    chain = [f"x{i + 1} = x{i} + 1" for i in range(1, MAX_EQUATIONS)]
    outcome = solve_equations([*reversed(chain), "x1 = 1"], f"x{MAX_EQUATIONS}")
    assert outcome.value == MAX_EQUATIONS


def test_simultaneous_equations_with_long_numbers_are_stopped() -> None:
    equations = [f"2 ** 500 * x{i} + 3 ** 300 * x{i + 1} = 1" for i in range(12)]
    outcome = solve_equations(equations, "x1")
    assert outcome.reason is Reason.MEMORY_LIMIT
    assert "bits of coefficients" in outcome.detail


def test_a_chain_of_steps_is_solved_without_sympy() -> None:
    program = (
        "import sys; from fdd.agents.checking.equations import solve_equations; "
        "print(solve_equations(['b = 2 * a', 'a = 21'], 'b').value, 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "42 False\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fractions(-50, 50, max_denominator=9), min_size=2, max_size=5))
def test_elimination_recovers_the_numbers_a_regular_system_was_made_from(
    numbers: list[Fraction],
) -> None:
    names = [f"n{i}" for i in range(len(numbers))]
    equations = []
    for row in range(len(numbers)):
        factors = [2 if row == column else 1 for column in range(len(numbers))]
        total = sum((f * n for f, n in zip(factors, numbers, strict=True)), Fraction(0))
        left = " + ".join(f"{f} * {name}" for f, name in zip(factors, names, strict=True))
        equations.append(f"{left} = {total.numerator} / {total.denominator}")
    for name, number in zip(names, numbers, strict=True):
        assert solve_equations(equations, name).value == number
