"""Programs in the sandbox: what they come to, what hostile ones get, and that it always works afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.checking.values import value_outcome
from fdd.agents.thoughts.base import Outcome
from fdd.amounts import meant
from fdd.domain import Reason

SOUND = "clips_in_april = 48\nclips_in_may = clips_in_april / 2\nanswer = clips_in_april + clips_in_may\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=1, seconds=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("program", "value"),
    [
        (SOUND, Fraction(72)),
        ("answer = 7", Fraction(7)),
        ("answer = 0.1 + 0.2", Fraction(3, 10)),
        ("answer = 100 / 3", Fraction(100, 3)),
        ("answer = 1000.1 - 1000", Fraction(1, 10)),
        ("answer = 10 ** 30 + 1", Fraction(10**30 + 1)),
        ("answer = -0.0", Fraction(0)),
        ("from decimal import Decimal\nanswer = Decimal(1) / 3", Fraction(1, 3)),
        ("import math\nanswer = math.ceil(7 / 2)", Fraction(4)),
        ("def total(n):\n    return sum(range(n))\n\nanswer = total(5)", Fraction(10)),
        ("answer = 3  # dollars", Fraction(3)),
        ("answer = 3;", Fraction(3)),
        ("for answer in range(4):\n    pass", Fraction(3)),
        ("print('working')\nanswer = 1", Fraction(1)),
        ("\ufeffanswer = 1", Fraction(1)),
    ],
)
def test_programs_give_the_number_they_mean(sandbox: LimitedSandbox, program: str, value: Fraction) -> None:
    assert sandbox.run_program(program) == Outcome(value=value)


HOSTILE = {
    "while True:\n    pass": Reason.TIME_LIMIT,
    "try:\n    while True:\n        pass\nexcept BaseException:\n    answer = 1": Reason.TIME_LIMIT,
    "answer = sum(range(10 ** 12))": Reason.TIME_LIMIT,
    "n = 0\nwhile True:\n    n += 1\n    print(n)": Reason.MEMORY_LIMIT,
    "while True:\n    print('x' * 100000)": Reason.MEMORY_LIMIT,
    "x = [0]\nwhile True:\n    x = x + x": Reason.MEMORY_LIMIT,
    "try:\n    x = 'a' * 10 ** 9\nexcept BaseException:\n    answer = 1": Reason.MEMORY_LIMIT,
    "answer = 9 ** 9 ** 9": Reason.MEMORY_LIMIT,
    "answer = 9 ** 9 ** 6": Reason.MEMORY_LIMIT,
    "answer = 1 << (1 << 40)": Reason.MEMORY_LIMIT,
    "from decimal import Decimal\nanswer = Decimal('1e999999')": Reason.MEMORY_LIMIT,
    "from decimal import Decimal\nanswer = Decimal('1e-999999')": Reason.MEMORY_LIMIT,
    "answer = 1\n" * 10_000: Reason.MEMORY_LIMIT,
    "def f(n):\n    return f(n + 1)\n\nanswer = f(0)": Reason.RUNTIME_ERROR,
    "answer = 1 / 0": Reason.RUNTIME_ERROR,
    "answer = apples + 1": Reason.RUNTIME_ERROR,
    "import math\nanswer = math.average(1)": Reason.RUNTIME_ERROR,
    "raise KeyboardInterrupt": Reason.RUNTIME_ERROR,
    "raise ValueError('\\x1b[2J')": Reason.RUNTIME_ERROR,
    "answer = int('9' * 10000)": Reason.RUNTIME_ERROR,
    "answer = open('/etc/passwd').read()": Reason.FORBIDDEN,
    "with open('x', 'w') as f:\n    f.write('1')\nanswer = 1": Reason.FORBIDDEN,
    "from pathlib import Path\nanswer = Path('/etc/passwd').read_text()": Reason.FORBIDDEN,
    "import socket": Reason.FORBIDDEN,
    "import subprocess": Reason.FORBIDDEN,
    "import ctypes": Reason.FORBIDDEN,
    "import sympy": Reason.FORBIDDEN,
    "import os\nos.system('id')\nanswer = 1": Reason.FORBIDDEN,
    "from os import system": Reason.FORBIDDEN,
    "import os\nanswer = os.environ['HOME']": Reason.FORBIDDEN,
    "answer = __import__('os').getpid()": Reason.FORBIDDEN,
    "answer = len(globals())": Reason.FORBIDDEN,
    "answer = input()": Reason.FORBIDDEN,
    "exit()": Reason.FORBIDDEN,
    "answer = ().__class__.__bases__[0].__subclasses__()": Reason.FORBIDDEN,
    "answer = getattr(1, '__class__')": Reason.FORBIDDEN,
    "def g():\n    while True:\n        yield 1\n\nanswer = sum(g())": Reason.FORBIDDEN,
    "answer = True": Reason.NOT_A_NUMBER,
    "answer = None": Reason.NOT_A_NUMBER,
    "answer = '42'": Reason.NOT_A_NUMBER,
    "answer = [42]": Reason.NOT_A_NUMBER,
    "answer = []\nfor i in range(50000):\n    answer = [answer]": Reason.NOT_A_NUMBER,
    "answer = []\nanswer.append(answer)": Reason.NOT_A_NUMBER,
    "answer = float('nan')": Reason.NOT_A_NUMBER,
    "answer = 1e400": Reason.NOT_A_NUMBER,
    "answer = -1e308 * 10": Reason.NOT_A_NUMBER,
    "answer = (-8) ** 0.5": Reason.NOT_A_NUMBER,
    "from decimal import Decimal\nanswer = Decimal('nan')": Reason.NOT_A_NUMBER,
    "answer = print": Reason.NOT_A_NUMBER,
    "answer = lambda: 3": Reason.NOT_A_NUMBER,
    "class A:\n    def __eq__(self, other):\n        return True\n\nanswer = A()": Reason.NOT_A_NUMBER,
    "total = 3": Reason.NO_ANSWER,
    "": Reason.NO_ANSWER,
    "answer = (": Reason.SYNTAX_ERROR,
    "answer = 'a": Reason.SYNTAX_ERROR,
    "The answer is 3.": Reason.SYNTAX_ERROR,
    "answer = 1\n3 or \\": Reason.SYNTAX_ERROR,
    "answer = 1\nreturn 3": Reason.SYNTAX_ERROR,
    "answer = 1\0": Reason.SYNTAX_ERROR,
    "answer = '\ud800'": Reason.SYNTAX_ERROR,
    "answer = " + "(" * 5000 + "1" + ")" * 5000: Reason.SYNTAX_ERROR,
    "answer = " + "-" * 15000 + "1": Reason.SYNTAX_ERROR,
    "if True:\n\tanswer = 1\n        answer = 2": Reason.SYNTAX_ERROR,
}


@pytest.mark.parametrize(
    ("program", "reason"),
    HOSTILE.items(),
    ids=lambda value: ascii(value[:40]) if isinstance(value, str) else None,
)
def test_hostile_and_broken_programs_get_their_reason(
    sandbox: LimitedSandbox, program: str, reason: Reason
) -> None:
    outcome = sandbox.run_program(program)
    assert (outcome.value, outcome.reason) == (None, reason)
    assert outcome.detail
    assert outcome.detail.isprintable()
    assert sandbox.run_program(SOUND).value == 72


def test_the_details_of_a_limit_are_the_same_every_time(sandbox: LimitedSandbox) -> None:
    late = sandbox.run_program("while True:\n    pass")
    full = sandbox.run_program("x = [0]\nwhile True:\n    x = x + x")
    assert late.detail == "ran longer than 1 s"
    assert full.detail == "needed more than 64 MB"


def test_a_program_cannot_leave_anything_to_the_next_one(sandbox: LimitedSandbox) -> None:
    sandbox.run_program("answer = 5\nimport math\nmath.pi = 3")
    assert sandbox.run_program("pass").reason is Reason.NO_ANSWER


def test_clock_and_chance_are_the_same_for_every_run(sandbox: LimitedSandbox) -> None:
    program = "import random, time\ntime.sleep(60)\nanswer = random.random() + time.time()"
    first, second = sandbox.run_program(program), sandbox.run_program(program)
    assert first.value is not None
    assert first == second


def test_a_worker_killed_from_outside_does_not_cost_the_program_its_verdict() -> None:
    others = _children()
    with LimitedSandbox(workers=1, seconds=30) as sandbox:
        (worker,) = _children() - others
        killer = threading.Timer(0.05, os.kill, (worker, signal.SIGKILL))
        killer.start()
        outcome = sandbox.run_program("answer = 0\nfor i in range(4_000_000):\n    answer += 1")
        killer.join()
        assert outcome.value == 4_000_000
        assert worker not in _children()


def test_more_threads_than_workers_wait_for_their_turn() -> None:
    programs = [f"answer = {n} * 2" for n in range(200)]
    with LimitedSandbox(workers=2) as sandbox, ThreadPoolExecutor(8) as threads:
        values = [outcome.value for outcome in threads.map(sandbox.run_program, programs)]
    assert values == [2 * n for n in range(200)]


def test_a_time_limit_in_one_worker_does_not_hold_up_the_other() -> None:
    with LimitedSandbox(workers=2, seconds=5) as sandbox, ThreadPoolExecutor(2) as threads:
        endless = threads.submit(sandbox.run_program, "while True:\n    pass")
        time.sleep(0.1)
        assert sandbox.run_program(SOUND).value == 72
        assert not endless.done()
        assert endless.result().reason is Reason.TIME_LIMIT


def test_workers_stay_small_after_memory_bombs() -> None:
    others = _children()
    with LimitedSandbox(workers=1) as sandbox:
        for bomb in ("x = [0]\nwhile True:\n    x = x + x", "answer = [[i] for i in range(10 ** 7)]"):
            assert sandbox.run_program(bomb).reason is Reason.MEMORY_LIMIT
            assert all(_peak_megabytes(pid) < 256 for pid in _children() - others)


def test_no_worker_outlives_the_sandbox() -> None:
    before = _children()
    with LimitedSandbox(workers=2) as sandbox:
        sandbox.run_program(SOUND)
        assert _children() > before
    assert _children() == before


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (2.675, Fraction("2.675")),
        (434.99999999999994, Fraction(435)),
        (0.09999999999999432, Fraction(1, 10)),
        (1234567.8900000001, Fraction("1234567.89")),
        (1000000000001.0, Fraction(1000000000001)),
        (100000000000.5, Fraction("100000000000.5")),
        (3.0000000001, Fraction("3.0000000001")),
        (22 / 7, Fraction(22, 7)),
        (1 / 9999, Fraction(1, 9999)),
        (2**0.5, Fraction("1.4142135623730951")),
        (1e-300, Fraction(1, 10**300)),
        (Decimal("0.3333333333333333333333333333"), Fraction(1, 3)),
        (Decimal("12.50"), Fraction(25, 2)),
    ],
)
def test_rounded_numbers_stand_for_the_simplest_number_near_them(
    number: float | Decimal, value: Fraction
) -> None:
    assert meant(number) == value


@given(st.fractions(-10_000, 10_000, max_denominator=1000))
def test_every_simple_fraction_survives_its_rounding_to_a_float(value: Fraction) -> None:
    assert meant(value.numerator / value.denominator) == value


@given(st.decimals(-(10**6), 10**6, places=2), st.decimals(-(10**6), 10**6, places=2))
def test_sums_of_prices_in_floats_mean_the_exact_sum(one: Decimal, other: Decimal) -> None:
    assert abs(meant(float(one) + float(other)) - Fraction(one + other)) <= Fraction(1, 10**9)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_moves_by_more_than_the_stated_tolerance(number: float) -> None:
    exact = Fraction(number)
    assert abs(meant(number) - exact) <= abs(exact) * Fraction(6, 10**10) + Fraction(1, 10**320)


def test_a_type_that_only_claims_to_be_a_number_is_none() -> None:
    class Sly(int):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("called")

        __hash__ = int.__hash__

    assert value_outcome(Sly(3)).reason is Reason.NOT_A_NUMBER


def _children() -> set[int]:
    """Processes that this one started and that still live."""
    lists = (path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid) for text in lists for pid in text.split() if "VmHWM" in _status(int(pid))}


def _peak_megabytes(pid: int) -> float:
    return int(_status(pid).split("VmHWM:")[1].split()[0]) / 1024


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
