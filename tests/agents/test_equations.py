"""Equations: what is read, what is refused, and what the systems come to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdd.agents.checking.equations import MAX_EQUATIONS, Refused, read_equation, solve_equations
from fdd.agents.checking.solver import Solver, solve_nonlinear
from fdd.agents.thoughts.base import Outcome
from fdd.domain import Reason
from fdd.errors import FddError


@pytest.fixture(scope="module")
def solver() -> Iterator[Solver]:
    with Solver(seconds=2) as solver:
        yield solver


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
    ],
)
def test_linear_systems_are_solved_exactly(
    solver: Solver, equations: list[str], unknown: str, value: Fraction
) -> None:
    assert solve_equations(equations, unknown, solver) == Outcome(value=value)


@pytest.mark.parametrize(
    ("equations", "unknown", "value"),
    [
        (["60 / x = 5"], "x", Fraction(12)),
        (["x = 4 ** 0.5"], "x", Fraction(2)),
        (["x ** 2 - 4 * x + 4 = 0"], "x", Fraction(2)),
        (["x ** 3 = 2"], "x", Fraction("1.2599210498948732")),
        (["x ** 5 - x = 1"], "x", Fraction("1.1673039782614187")),
        (["x = 3", "y * y = 4"], "x", Fraction(3)),
        (["x = 5 * y / y", "2 * z = x"], "z", Fraction(5, 2)),
    ],
)
def test_nonlinear_systems_go_to_sympy(
    solver: Solver, equations: list[str], unknown: str, value: Fraction
) -> None:
    assert solve_equations(equations, unknown, solver).value == value


@pytest.mark.parametrize(
    ("equations", "reason"),
    [
        (["x = 1", "x = 2"], Reason.NO_SOLUTION),
        (["x = 1", "y = 3", "y = 4"], Reason.NO_SOLUTION),
        (["x * x = 0 - 1"], Reason.NO_SOLUTION),
        (["x = 3", "y * y = 0 - 1"], Reason.NO_SOLUTION),
        (["x * x = x * x + 1"], Reason.NO_SOLUTION),
        (["x + y = 3"], Reason.MANY_SOLUTIONS),
        (["x = x"], Reason.MANY_SOLUTIONS),
        (["x / x = 1"], Reason.MANY_SOLUTIONS),
        (["x * y = 0"], Reason.MANY_SOLUTIONS),
        (["x ** 2 = 9"], Reason.MANY_SOLUTIONS),
        (["x + y = 10", "x * y = 21"], Reason.MANY_SOLUTIONS),
        (["y = 3"], Reason.NO_ANSWER),
        ([], Reason.NO_ANSWER),
        (["x = 1 / 0"], Reason.RUNTIME_ERROR),
        (["x = 0 ** -1"], Reason.RUNTIME_ERROR),
        (["y * y = 4", "x * y = 1 / (3 - 3)"], Reason.RUNTIME_ERROR),
        (["x * x ** x = 1 + y ** x", "y * y ** y = x"], Reason.RUNTIME_ERROR),
    ],
)
def test_systems_without_one_value_say_why(solver: Solver, equations: list[str], reason: Reason) -> None:
    outcome = solve_equations(equations, "x", solver)
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
def test_numbers_and_systems_that_grow_without_end_are_stopped(solver: Solver, equations: list[str]) -> None:
    assert solve_equations(equations, "x", solver).reason is Reason.MEMORY_LIMIT


def test_the_longest_system_allowed_is_solved_even_in_the_worst_order(solver: Solver) -> None:
    chain = [f"x{i + 1} = x{i} + 1" for i in range(1, MAX_EQUATIONS)]
    outcome = solve_equations([*reversed(chain), "x1 = 1"], f"x{MAX_EQUATIONS}", solver)
    assert outcome.value == MAX_EQUATIONS


def test_equations_that_sympy_cannot_finish_reach_the_time_limit_and_the_next_ones_are_solved() -> None:
    with Solver(seconds=2) as solver:
        assert solve_equations(["x * x = 9 ** 9 ** 9"], "x", solver).reason is Reason.TIME_LIMIT
        assert solve_equations(["60 / x = 5"], "x", solver).value == 12


def test_equations_that_need_much_memory_reach_the_memory_limit_and_the_next_ones_are_solved() -> None:
    with Solver(seconds=20, megabytes=90) as solver:
        outcome = solve_equations(["x * x = 2 ** 3 ** 17"], "x", solver)
        assert outcome.reason is Reason.MEMORY_LIMIT
        assert solve_equations(["60 / x = 5"], "x", solver).value == 12


def test_a_solver_process_killed_from_outside_is_replaced(solver: Solver) -> None:
    assert solver.solve(["60 / x = 5"], {}, "x").value == 12
    assert solver.pid is not None
    os.kill(solver.pid, signal.SIGKILL)
    assert solver.solve(["60 / x = 5"], {}, "x").value == 12


def test_threads_share_one_solver_process(solver: Solver) -> None:
    found: dict[int, Outcome] = {}

    def solve(n: int) -> None:
        found[n] = solver.solve([f"{n} / x = 1"], {}, "x")

    threads = [threading.Thread(target=solve, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: outcome.value for n, outcome in found.items()} == {n: n for n in range(1, 9)}


def test_the_solver_process_starts_only_when_it_is_needed() -> None:
    with Solver(seconds=1) as solver:
        assert solve_equations(["x = 3"], "x", solver).value == 3
        assert solver.pid is None


@pytest.mark.parametrize(
    ("equations", "reason", "value"),
    [
        (["60 / x = 5"], Reason.ACCEPTED, Fraction(12)),
        (["x ** 3 - 3 * x = 7"], Reason.ACCEPTED, Fraction("2.425988757361622")),
        (["x ** 3 - 3 * x = 0 - 1"], Reason.MANY_SOLUTIONS, None),
        (["x ** 3 = 1"], Reason.ACCEPTED, Fraction(1)),
        (["x * x = 2 * x - 1", "y * y = 4"], Reason.ACCEPTED, Fraction(1)),
        (["x / x = 1"], Reason.MANY_SOLUTIONS, None),
        (["x * y = 0"], Reason.MANY_SOLUTIONS, None),
        (["x * x = 1"], Reason.MANY_SOLUTIONS, None),
        (["x * x = 0 - 1"], Reason.NO_SOLUTION, None),
        (["x * x = x * x + 1"], Reason.NO_SOLUTION, None),
        (["(x * x - 3 * x) / (x - 3) = 3"], Reason.NO_SOLUTION, None),
        (["x * (x - 2) ** -1 = 2 / (x - 2)"], Reason.NO_SOLUTION, None),
        (["x / (y - 1) * (y - 1) = 3", "y * y = 2 * y - 1"], Reason.NO_SOLUTION, None),
        (["x * (y - 1) / (y - 1) = 3"], Reason.ACCEPTED, Fraction(3)),
        (["x * x = 1 / (3 - 3)"], Reason.RUNTIME_ERROR, None),
        (["x * x ** x = 1 + y ** x", "y * y ** y = x"], Reason.RUNTIME_ERROR, None),
        (["x / y = 10 ** 600", "y / x * x = 10 ** 600"], Reason.MEMORY_LIMIT, None),
    ],
)
def test_what_the_solver_process_answers(
    equations: list[str], reason: Reason, value: Fraction | None
) -> None:
    outcome = solve_nonlinear(equations, {}, "x")
    assert (outcome.reason, outcome.value) == (reason, value)


def test_a_solver_process_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Solver(seconds=1) as solver, pytest.raises(FddError, match="the equation solver does not start"):
        solver.solve(["60 / x = 5"], {}, "x")


def test_relations_found_by_elimination_are_put_into_the_nonlinear_rest() -> None:
    outcome = solve_nonlinear(["x * y = 9"], {"x": "(0) + (1) * y", "z": "(1/2) + (2) * y"}, "z")
    assert outcome.reason is Reason.MANY_SOLUTIONS
    assert outcome.detail == "'z' can be -5.5, 6.5"


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
    with Solver(seconds=1) as solver:
        for name, number in zip(names, numbers, strict=True):
            assert solve_equations(equations, name, solver).value == number
