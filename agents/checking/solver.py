"""Solves nonlinear equations with sympy in a separate process, which is killed when it takes too long.

The process, `python -m fdd.agents.checking.solver SECONDS MEGABYTES`, reads one JSON request per line and
answers each with one JSON line.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from fdd import IMPORT_ROOT, errors
from fdd.agents.checking.confinement import confine
from fdd.agents.checking.equations import Expression, Operation, evaluate, read_equation, read_expression
from fdd.agents.checking.values import MAX_BITS, fault, too_long
from fdd.agents.thoughts.base import Outcome
from fdd.amounts import meant
from fdd.domain import Reason

if TYPE_CHECKING:
    import sympy

START_SECONDS = 60.0
"""Time-out for starting Python and importing sympy, enough for a busy machine."""

OUT_OF_MEMORY = 3
"""Exit status of the process when it runs out of memory."""

DIED = Outcome(value=None, reason=Reason.RUNTIME_ERROR, detail="the solver died on it, twice")


PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL")
"""Environment variables that Python may need in order to start; none holds a key or token."""


class Solver:
    """Owns the process; starts it when first needed, and again after it was killed.

    It handles one request at a time, and threads wait for each other: few equations need it.
    """

    def __init__(self, *, seconds: float, megabytes: int = 256) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._stop()

    @property
    def pid(self) -> int | None:
        """The id of the process; None while there is none."""
        return self._process.pid if self._process else None

    def solve(self, equations: Sequence[str], relations: Mapping[str, str], unknown: str) -> Outcome:
        """See `NonlinearSolver`; raises `WorkerError` if the process cannot be started."""
        request = json.dumps({"equations": equations, "relations": relations, "unknown": unknown})
        with self._lock:
            # Something else may have killed the process, so the equations get a second try.
            return self._ask(request) or self._ask(request) or DIED

    def _ask(self, request: str) -> Outcome | None:
        """The outcome; None if a signal killed the process."""
        process = self._started()
        with contextlib.suppress(BrokenPipeError):
            _send(process.stdin, request)
        reply = _line(process.stdout, self._seconds)
        if reply:
            return _outcome(json.loads(reply))
        if reply is None:
            self._stop()
            return fault(Reason.TIME_LIMIT, f"solving took longer than {self._seconds:g} s")
        status = process.wait()
        if status == OUT_OF_MEMORY:
            return fault(Reason.MEMORY_LIMIT, f"solving needed more than {self._megabytes} MB")
        return None if status < 0 else fault(Reason.RUNTIME_ERROR, "the solver failed on it")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                __spec__.name,
                str(self._seconds),
                str(self._megabytes),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # sympy's choice between equal forms depends on the hash seed.
            env=_environment() | {"PYTHONPATH": str(IMPORT_ROOT), "PYTHONHASHSEED": "0"},
        )
        if not _line(self._process.stdout, START_SECONDS):
            self._stop()
            raise errors.WorkerError(
                "the equation solver does not start; try `python -m fdd.agents.checking.solver 1 256`"
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError), self._process as process:
                process.kill()
            self._process = None


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _send(stream: IO[str] | None, line: str) -> None:
    assert stream is not None
    stream.write(f"{line}\n")
    stream.flush()


def _line(stream: IO[str] | None, seconds: float) -> str | None:
    """The next line; empty if the process has ended, None after `seconds` without one."""
    assert stream is not None
    ready, _, _ = select.select([stream], [], [], seconds)
    return stream.readline() if ready else None


def _outcome(reply: Mapping[str, str]) -> Outcome:
    value = Fraction(reply["value"]) if reply["value"] else None
    return Outcome(value=value, reason=Reason(reply["reason"]), detail=reply["detail"])


def serve(seconds: float, megabytes: int) -> None:
    """Confine this process and answer requests until the input ends.

    `seconds` limits each request; the process enforces this itself, in case its owner is gone.
    """
    # Loads everything that sympy needs before the limits apply and before any timer runs.
    solve_nonlinear(["60 / x = 5"], {}, "x")
    confine(megabytes, sys.path)
    _send(sys.stdout, "ready")
    for line in sys.stdin:
        # One second more than the owner waits, so that the owner normally reports the time-out.
        signal.setitimer(signal.ITIMER_REAL, seconds + 1)
        try:
            found = solve_nonlinear(**json.loads(line))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        signal.setitimer(signal.ITIMER_REAL, 0)
        value = "" if found.value is None else str(found.value)
        _send(sys.stdout, json.dumps({"value": value, "reason": found.reason, "detail": found.detail}))


@dataclass(frozen=True, slots=True)
class _System:
    """Equations as sympy expressions, each equal to zero."""

    zeros: Sequence[sympy.Expr]
    divisors: Sequence[sympy.Expr]
    """All divisors, some of which sympy has cancelled in `zeros`."""
    target: sympy.Expr


def solve_nonlinear(equations: Sequence[str], relations: Mapping[str, str], unknown: str) -> Outcome:
    """The value of `unknown` that all real solutions share; an irrational root is rounded."""
    import sympy

    system = _read(equations, relations, unknown)
    if any(zero.has(sympy.zoo, sympy.nan, sympy.oo) for zero in system.zeros):
        return fault(Reason.RUNTIME_ERROR, "division by zero")
    try:
        solutions = _solutions([zero for zero in map(sympy.cancel, system.zeros) if zero != 0])
    except NotImplementedError as error:  # sympy has no method for these equations
        why = " ".join(str(error).split())[:100]
        return fault(Reason.RUNTIME_ERROR, f"no method for these equations: {why}")
    sound = [found for found in solutions if not any(_is_zero(by.subs(found)) for by in system.divisors)]
    return _only_value([system.target.subs(found) for found in sound], unknown)


def _read(equations: Sequence[str], relations: Mapping[str, str], unknown: str) -> _System:
    import sympy

    def number(value: Fraction) -> sympy.Expr:
        return sympy.Rational(value.numerator, value.denominator)

    known = {name: evaluate(read_expression(text), number, sympy.Symbol) for name, text in relations.items()}

    def quantity(name: str) -> sympy.Expr:
        return known.get(name, sympy.Symbol(name))

    def compute(expression: Expression) -> sympy.Expr:
        return evaluate(expression, number, quantity)

    read = [read_equation(text) for text in equations]
    sides = [side for equation in read for side in (equation.left, equation.right)]
    return _System(
        zeros=[compute(equation.left) - compute(equation.right) for equation in read],
        divisors=[divisor for side in sides for divisor in _divisors(side, compute)],
        target=quantity(unknown),
    )


def _divisors(expression: Expression, compute: Callable[[Expression], sympy.Expr]) -> Iterator[sympy.Expr]:
    """The subexpressions that must not be zero for the expression to have a value."""
    if not isinstance(expression, Operation):
        return
    yield from _divisors(expression.left, compute)
    yield from _divisors(expression.right, compute)
    if expression.sign == "/":
        yield compute(expression.right)
    elif expression.sign == "**" and compute(expression.right).is_negative:
        yield compute(expression.left)


def _solutions(zeros: list[sympy.Expr]) -> list[dict[sympy.Symbol, sympy.Expr]]:
    """Real solutions of the system in which every expression is zero."""
    import sympy

    if not zeros:
        return [{}]
    # Sorted, so that the result does not depend on the order of a set.
    names = sorted(set().union(*(zero.free_symbols for zero in zeros)), key=str)
    # For a list with one equation, sympy omits the roots that radicals cannot express.
    found = sympy.solve(zeros if len(zeros) > 1 else zeros[0], names, dict=True)
    return [solution for solution in found if all(map(_is_real, solution.values()))]


def _only_value(values: Sequence[sympy.Expr], unknown: str) -> Outcome:
    if not values:
        return fault(Reason.NO_SOLUTION, "no real numbers satisfy the equations")
    if any(value.free_symbols for value in values):
        return fault(Reason.MANY_SOLUTIONS, f"the equations leave {unknown!r} open")
    distinct = sorted({_fraction(value) for value in values})
    if len(distinct) > 1:
        shown = ", ".join(f"{float(value):g}" for value in distinct[:4])
        return fault(Reason.MANY_SOLUTIONS, f"{unknown!r} can be {shown}")
    if max(abs(distinct[0].numerator), distinct[0].denominator).bit_length() > MAX_BITS:
        return too_long()
    return Outcome(value=distinct[0])


def _is_real(value: sympy.Expr) -> bool:
    if value.is_real is not None or value.free_symbols:
        return value.is_real is not False
    return abs(complex(value).imag) < 1e-12


def _is_zero(value: sympy.Expr) -> bool:
    if value.is_zero is not None or value.free_symbols:
        return value.is_zero is True
    return abs(complex(value)) < 1e-12


def _fraction(value: sympy.Expr) -> Fraction:
    if value.is_Rational:
        return Fraction(int(value.p), int(value.q))
    return meant(complex(value).real)


if __name__ == "__main__":
    serve(float(sys.argv[1]), int(sys.argv[2]))
