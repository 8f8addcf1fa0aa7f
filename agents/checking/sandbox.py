"""Runs programs from models within limits, in a Rust interpreter."""

from __future__ import annotations

import builtins
import re
import secrets
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Self

from pydantic_monty import (
    CollectString,
    Monty,
    MontyCrashedError,
    MontyError,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)
from pydantic_monty._binary import find_monty_binary

from fdd.agents.checking.launcher import launcher
from fdd.agents.checking.values import fault, value_outcome
from fdd.agents.thoughts.base import Outcome
from fdd.domain import Reason
from fdd.errors import FddError

MAX_PROGRAM = 20_000
"""Characters; longer programs are rejected unread."""

MAX_PRINTED = 64 * 1024
"""Bytes that a program may print; the output is not used."""

SPARE_MEGABYTES = 512
"""Address space of a worker in addition to its programs' memory, which the interpreter itself limits."""

FIXED_WORLD = OSPolicy(
    datetime=datetime(2000, 1, 1, tzinfo=UTC), sleep="zero", random_start={"seed": 0}, process_time="zero"
)
"""Fixed clock and random numbers, so that a program gives the same answer in every run."""

ROUND = """\
def round(number, ndigits=None, _round=round, _type=type, _float=float, _int=int):
    if _type(number) is not _float or ndigits is None or ndigits > 323:
        return _round(number, ndigits)
    if ndigits >= 0:
        return _float(f"{number:.{ndigits}f}")
    if number * number >= 2.0**106 and number - number == 0:
        return _float(_round(_int(number), ndigits))
    return _round(number, ndigits)
"""
"""Replaces the interpreter's `round`, which scales before it rounds: 427.425 would become 427.42 instead of
427.43, and floats large enough to be whole numbers would change in their last digit."""

NO_ANSWER = "NameError: name 'answer' is not defined"

OUTSIDE = re.compile(
    r"has no attribute '__\w+__'|^NameError: name '__\w+__'|\bis not supported\b"
    r"|^AttributeError: (?:module '(?:os|sys|posixpath|asyncio)'|(?:type object )?'PosixPath')"
)
"""Matches attempts to leave the sandbox that the interpreter reports as an ordinary exception."""

DIED = fault(Reason.RUNTIME_ERROR, "the interpreter died on it, twice")


class LimitedSandbox:
    """Implements `Sandbox`; a context manager that owns the worker processes.

    It is safe to call from several threads: each call takes one of the `workers` or waits for one. A worker
    that dies is replaced.

    >>> with LimitedSandbox() as sandbox:
    ...     sandbox.run_program("half = 48 / 2\\nanswer = 48 + half").value
    Fraction(72, 1)
    """

    def __init__(self, *, workers: int = 2, seconds: float = 1.0, megabytes: int = 64) -> None:
        self._limits = ResourceLimits(max_feed_duration_secs=seconds, max_memory=megabytes * 2**20)
        self._late = fault(Reason.TIME_LIMIT, f"ran longer than {seconds:g} s")
        self._megabytes, self._workers = megabytes, workers
        self._seal = secrets.token_hex(16)
        """Secret that marks a regular end: the interpreter also allows `return` anywhere in a program."""
        self._open = ExitStack()
        self.confined = False
        """Whether the interpreter's workers run confined; set when they have started."""

    def __enter__(self) -> Self:
        """Start the workers; raises `FddError` if they do not start."""
        with ExitStack() as started:
            try:
                binary = find_monty_binary()
                program = started.enter_context(launcher(binary, self._megabytes + SPARE_MEGABYTES))
                pool = Monty(binary_path=program, min_processes=self._workers, max_processes=self._workers)
                self._pool = started.enter_context(pool)
            except (FileNotFoundError, RuntimeError) as error:
                raise FddError(f"the sandbox does not start ({error}): reinstall pydantic-monty") from None
            self.confined = program != binary
            self._open = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run_program(self, source: str) -> Outcome:
        """Run a program in a fresh session; the outcome is the value of its variable `answer` at the end.

        The interpreter supports a large part of Python, with `math`, `decimal`, `datetime` and `itertools`.
        docs/SANDBOX.md lists its differences from CPython, and says why they change no verdict.
        """
        if len(source) > MAX_PROGRAM:
            return fault(Reason.MEMORY_LIMIT, f"the program is longer than {MAX_PROGRAM} characters")
        # Something else may have killed the worker, so the program gets a second try.
        return self._attempt(source) or self._attempt(source) or DIED

    def _attempt(self, source: str) -> Outcome | None:
        """The outcome of one run; None if the worker died."""
        try:
            with self._pool.checkout(limits=self._limits, os_policy=FIXED_WORLD) as session:
                if "round" in source:
                    session.feed_run(ROUND)
                # The empty line keeps a trailing backslash from joining the program with the last line.
                program = f"{source}\n\n({self._seal!r}, answer)"
                match session.feed_run(program, print_callback=CollectString(MAX_PRINTED)):
                    case (self._seal, answer):
                        return value_outcome(answer)
                    case _:
                        return fault(Reason.SYNTAX_ERROR, "`return` stands outside a function")
        except MontyCrashedError as crash:
            return self._late if crash.timed_out else None
        except MontyError as error:
            return self._explain(error)

    def _explain(self, error: MontyError) -> Outcome:
        # The message may hold anything: it is reduced to one short line of printable text.
        line = " ".join(str(error).split())[:200]
        message = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
        if isinstance(error, MontySyntaxError):
            return fault(Reason.SYNTAX_ERROR, message)
        match error.exception():
            case TimeoutError():
                return self._late
            case MemoryError():
                return fault(Reason.MEMORY_LIMIT, f"needed more than {self._megabytes} MB")
            case NameError() if message == NO_ANSWER:
                return fault(Reason.NO_ANSWER, "the program sets no `answer`")
            # The interpreter raises these when a program tries something that it does not allow.
            case PermissionError() | ImportError() | NotImplementedError():
                return fault(Reason.FORBIDDEN, message)
        # The interpreter also omits some built-ins: `input`, `globals`, `__import__`.
        missing = re.match(r"NameError: name '(\w+)' is not defined", message)
        outside = OUTSIDE.search(message) or (missing is not None and hasattr(builtins, missing[1]))
        return fault(Reason.FORBIDDEN if outside else Reason.RUNTIME_ERROR, message)
