"""Reads a student's answer as a person would, if its text does not have the form that is taught.

A student that was never taught the form may still know the answer. It writes code in a fence, the number in
bold, a unit after it, or a remark. Its value counts; the missed form is counted separately.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from fdd.agents.checking.programs import leading_program
from fdd.agents.checking.values import MAX_DIGITS
from fdd.agents.symbolic.numbers import DIGITS
from fdd.agents.thoughts import pot
from fdd.agents.thoughts.base import Outcome, Sandbox, Thought
from fdd.agents.thoughts.cot_pot import PROGRAM, ExplainedProgram
from fdd.agents.thoughts.kp_cot import SOLUTION, KeyPointThought
from fdd.amounts import as_written
from fdd.domain import Reason

MOST_VARIANTS = 8
"""Largest number of variants of a text to try: each may take as long as a program may."""

_FENCE = re.compile(r"^[^\S\n]*```[^\n]*\n(.*?)(?:^[^\S\n]*```|\Z)", re.DOTALL | re.MULTILINE)
_MARKUP = re.compile(r"\\(?:boxed|text|mathbf|mathrm)\b|\\[()\[\]!,;]|[*_`{}$€£¥]|\\[$%]")
_NUMBER = (
    rf"(?P<sign>[-−]\s?)?(?:(?P<whole>\d+) (?=\d+/\d))?(?P<top>{DIGITS})"
    r"(?:\s?/\s?(?P<bottom>\d+)(?!\.?\d))?(?!\d)"
)
_GOES_ON = r"(?![^\S\n]*(?:[+*/=×÷]|[-−][^\S\n]*\d)|[^\S\n]+(?:(?:or|and|to)[^\S\n]+)?\d|\.\d|[ij]\b)"
"""Excludes a number that is only the beginning of something else: `48 + 24`, `48 or 72`."""
_STATED = re.compile(rf"(?:\banswer(?: is|:| =)+|####)[\s:]*{_NUMBER}{_GOES_ON}", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_SOLVED = re.compile(r"solve for\s+([A-Za-z_]\w*)", re.ASCII)
_ALONE = re.compile(rf"(?:.*(?<![<>!=])=)?\s*{_NUMBER}(?![ij]\b)[^\d=+*/]*")
"""Matches a line with one number, or with one after its last `=`: `72 clips`, `48 + 24 = 72 clips`."""


def read_freely(thought: Thought, text: str, sandbox: Sandbox) -> Outcome | None:
    """The outcome of a text whatever its form; None if it has no answer in any form."""
    if isinstance(thought, KeyPointThought):
        # Without the heading, `rpartition` gives the whole text.
        return read_freely(thought.solution, text.rpartition(SOLUTION)[2], sandbox)
    if isinstance(thought, ExplainedProgram):
        return read_freely(pot.THOUGHT, text.rpartition(PROGRAM)[2], sandbox)
    for variant in islice(_variants(text), MOST_VARIANTS):
        outcome = thought.outcome(variant, sandbox)
        # At a limit the other variants would only cost as much again.
        if outcome.value is not None or outcome.reason in (Reason.TIME_LIMIT, Reason.MEMORY_LIMIT):
            return outcome
    value = stated_value(text)
    return None if value is None else Outcome(value=value)


def stated_value(text: str) -> Fraction | None:
    """The last number that a text calls its answer, else the number alone in its last line, else None."""
    text = _FRACTION.sub(r"\1/\2", text)
    boxed = _BOXED.findall(text)
    if boxed and (found := _ALONE.fullmatch(_MARKUP.sub("", boxed[-1]))):
        return _value(found)
    plain = _MARKUP.sub("", text)
    if stated := list(_STATED.finditer(plain)):
        return _value(stated[-1])
    lines = [line for line in plain.splitlines() if line.strip()]
    alone = _ALONE.fullmatch(lines[-1]) if lines else None
    return None if alone is None else _value(alone)


def _variants(text: str) -> Iterator[str]:
    """Yield texts that may have the form: code from fences, equations up to `solve for`, programs."""
    blocks = [match[1] for match in _FENCE.finditer(text)]
    for part in (*(["\n".join(blocks)] if blocks else []), *reversed(blocks[1:]), text):
        if part is not text:
            yield part
        if solved := list(_SOLVED.finditer(part)):
            yield "\n".join(line.strip("*`$ ") for line in part[: solved[-1].end()].splitlines())
        yield from _programs(part)


def _programs(text: str) -> Iterator[str]:
    """Yield the program in the leading lines of a text.

    If it assigns no `answer`, also yield it with the answer set to what it prints last, and then to what it
    assigns last.
    """
    program = leading_program(text)
    if program is None:
        return
    yield program.source
    if "answer" not in program.assigned:
        for shown in (program.shown, *program.assigned[-1:]):
            if shown:
                yield f"{program.source}\nanswer = {shown}"


def _value(found: re.Match[str]) -> Fraction | None:
    if len(found[0]) > MAX_DIGITS or (found["bottom"] and int(found["bottom"]) == 0):
        return None
    top = as_written(found["top"].replace(",", ""))
    value = int(found["whole"] or 0) + top / int(found["bottom"] or 1)
    return -value if found["sign"] else value
