"""Where the sandbox's Python differs from CPython: every kind is known, listed, and changes no verdict."""

from __future__ import annotations

import cmath
import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic_monty import Monty, ResourceLimits

from fdd.agents.checking.sandbox import ROUND, LimitedSandbox
from fdd.agents.checking.values import fault, value_outcome
from fdd.agents.thoughts.base import Outcome
from fdd.agents.verifier import compare
from fdd.domain import Reason
from tests.agents.checking.arithmetic_programs import Writer

DOCUMENT = Path(__file__).parents[3] / "docs" / "SANDBOX.md"
BATCH, BATCHES = 100, 40
NOISE = 1e-14
"""Relative; the last of a float's 53 bits is 1.1e-16."""
NOISY = re.compile(r"\bmath\.(?:cbrt|gamma|lgamma|erf|exp|exp2|expm1|log1p|log|sin|cos|tan|atan)\(")
ERROR = re.compile(r"[A-Z]\w*(?:Error|Operation|ByZero|Undefined|Overflow)")
"""The name of an exception; no value is written like one."""
INVERSE = re.compile(r"pow\(\d+, -\d+, \d+\)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One that docs/SANDBOX.md lists."""

    title: str
    program: str
    """Comes to something else in the sandbox."""
    refused: bool
    """The sandbox does not run it at all; else it comes to another number."""


DIFFERENCES = [
    Difference("Last digits", "import math\nanswer = math.cbrt(6)", refused=False),
    Difference("Shortest digits", "answer = float(str(1666666666666682.25)[-1])", refused=False),
    Difference("Modular inverses", "answer = pow(3, -1, 7)", refused=True),
    Difference("Kinds of errors", "answer = 10**400 % 0.0", refused=True),
    Difference("Complex zeros", "answer = 0 / (-10) ** 0.5", refused=True),
    Difference("Methods of numbers", "answer = (42).bit_length()", refused=True),
    Difference("Hashes", "answer = hash(0.5)", refused=False),
    Difference("The order of sets", "answer = list({3, 1, 2})[0]", refused=False),
    Difference("Clock and chance", "import time\nanswer = time.time()", refused=False),
    Difference("Statements", "x = 1\ndel x\nanswer = 42", refused=True),
    Difference("Generators", "def f():\n    yield 42\n\nanswer = next(f())", refused=True),
    Difference(
        "Generator expressions",
        "import itertools\nanswer = next(n for n in itertools.count() if n * n > 1700)",
        refused=True,
    ),
    Difference(
        "Several arguments",
        "try:\n    raise ValueError('x', 1)\nexcept ValueError:\n    answer = 42",
        refused=True,
    ),
    Difference("Inheritance", "class A(int):\n    pass\n\nanswer = A(42) + 0", refused=True),
    Difference("Modules", "from fractions import Fraction\nanswer = int(Fraction(84, 2))", refused=True),
    Difference("Imports of everything", "from math import *\nanswer = floor(42.5)", refused=True),
]
UNDEFINED = {"Shortest digits", "Hashes", "The order of sets", "Clock and chance"}
"""Python does not say what these come to either, so no reference answer can rest on them."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.title)
def test_every_listed_difference_is_there(sandbox: LimitedSandbox, difference: Difference) -> None:
    assert sandbox.run_program(difference.program) != in_python(difference.program)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.title)
def test_every_difference_is_in_the_document(difference: Difference) -> None:
    assert f"| {difference.title} |" in DOCUMENT.read_text()


@pytest.mark.parametrize(
    "difference", [d for d in DIFFERENCES if d.refused], ids=lambda difference: difference.title
)
def test_what_the_sandbox_does_not_know_comes_to_no_number(
    sandbox: LimitedSandbox, difference: Difference
) -> None:
    outcome = sandbox.run_program(difference.program)
    assert outcome.value is None
    assert outcome.reason in (
        Reason.NOT_A_NUMBER,
        Reason.FORBIDDEN,
        Reason.RUNTIME_ERROR,
        Reason.MEMORY_LIMIT,
        Reason.TIME_LIMIT,
    )


@pytest.mark.parametrize(
    "difference",
    [d for d in DIFFERENCES if not d.refused and d.title not in UNDEFINED],
    ids=lambda difference: difference.title,
)
def test_noise_changes_no_verdict_on_any_reference_of_up_to_twelve_digits(
    sandbox: LimitedSandbox, difference: Difference
) -> None:
    ours, theirs = sandbox.run_program(difference.program), in_python(difference.program)
    assert ours.value is not None
    for digits in range(1, 13):
        reference = Fraction(f"{float(ours.value):.{digits}g}")
        assert compare(ours, reference).reason is compare(theirs, reference).reason


@pytest.mark.parametrize("program", ["math.cbrt(27)", "math.cbrt(0.125)", "math.gamma(6)", "math.exp2(10)"])
def test_noise_round_a_simple_number_means_that_number(sandbox: LimitedSandbox, program: str) -> None:
    source = f"import math\nanswer = {program}"
    assert sandbox.run_program(source) == in_python(source)


@pytest.mark.parametrize(
    ("number", "digits", "value"),
    [
        ("427.425", 2, "427.43"),
        ("2.675", 2, "2.67"),
        ("1.005", 2, "1"),
        ("0.125", 2, "0.12"),
        ("1250.0", -2, "1200"),
        ("1786861571544609238548681068782151348733.0", 2, "1786861571544609200000000000000000000000"),
        ("1.5", 400, "1.5"),
        ("1e22 ** 10", -2, "1e220"),
    ],
)
def test_numbers_are_rounded_as_python_rounds_them(
    sandbox: LimitedSandbox, number: str, digits: int, value: str
) -> None:
    program = f"answer = round({number}, {digits})"
    assert sandbox.run_program(program) == in_python(program)
    assert sandbox.run_program(program).value == Fraction(value)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_arithmetic_of_students_differs_in_a_way_that_is_not_listed(worker: Monty, batch: int) -> None:
    expressions = Writer(batch).expressions(BATCH)
    unknown = [
        f"{expression}: {theirs} in Python, {ours} in the sandbox"
        for expression, theirs, ours in zip(
            expressions, map(shown_in_python, expressions), shown_in_sandbox(worker, expressions), strict=True
        )
        if not alike(expression, theirs, ours)
    ]
    assert unknown == []


def test_a_new_kind_of_difference_would_be_noticed() -> None:
    assert alike("1 + 1", "2", "2")
    assert alike("10**400 % 0.0", "OverflowError", "ZeroDivisionError")
    assert not alike("1 + 1", "2", "3")
    assert not alike("1 + 1", "2", "2.0")
    assert not alike("1 < 2", "True", "False")
    assert not alike("1 - 3", "-2", "2")
    assert not alike("1 / 3", "0.3333333333333333", "0.3333333333333334")
    assert not alike("math.cbrt(6)", "1.8171205928321394", "1.8171205928421394")
    assert not alike("pow(3, 1, 7)", "3", "ValueError")


@pytest.fixture(scope="module")
def worker() -> Iterator[Monty]:
    with Monty(min_processes=1, max_processes=1) as pool:
        yield pool


def alike(expression: str, theirs: str, ours: str) -> bool:
    """The same text, or a difference of a listed kind."""
    if theirs == ours or (ERROR.fullmatch(theirs) and ERROR.fullmatch(ours)):
        return True
    if INVERSE.fullmatch(expression):
        return ours == "ValueError"
    with contextlib.suppress(ValueError):
        one, other = (complex(text.strip("()' ").replace(",", "")) for text in (theirs, ours))
        noisy = NOISY.search(expression) is not None and cmath.isclose(one, other, rel_tol=NOISE)
        same = one == other and ("j" in theirs or len(theirs) == len(ours))
        return noisy or same
    return False


def shown_in_python(expression: str) -> str:
    """The value as Python writes it, or the name of the exception."""
    try:
        return repr(eval(expression, {"math": math, "Decimal": Decimal}))
    except (ArithmeticError, TypeError, ValueError) as error:
        return type(error).__name__


def shown_in_sandbox(worker: Monty, expressions: list[str]) -> list[str]:
    lines = ["import math", "from decimal import Decimal", "shown = []"]
    for expression in expressions:
        lines += [
            "try:",
            f"    shown.append(repr({expression}))",
            "except Exception as error:",
            "    shown.append(type(error).__name__)",
        ]
    with worker.checkout(limits=ResourceLimits(max_feed_duration_secs=5)) as session:
        session.feed_run(ROUND)
        shown: list[str] = session.feed_run("\n".join([*lines, "shown"]))
    return shown


def in_python(program: str) -> Outcome:
    names: dict[str, object] = {}
    try:
        exec(program, names)
    except ArithmeticError as error:
        return fault(Reason.RUNTIME_ERROR, f"{type(error).__name__}: {error}")
    return value_outcome(names["answer"])
