"""Reads the answer of a student as a person would, where its text does not have the form that is taught.

A student that was never taught the form may know the answer: code in a fence, the number in bold, a unit
behind it, a remark after it. Its value counts, and that the form was missed is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from agents.programs import leading_program
from agents.symbolic.numbers import DIGITS
from agents.thoughts.base import Outcome, Sandbox, Thought
from agents.thoughts.kp_cot import SOLUTION, KeyPointThought
from agents.values import MAX_DIGITS
from amounts import as_written
from domain import Reason

MOST_VARIANTS = 8
"""Of a text that are tried: each may take as long as a program may."""

_FENCE = re.compile(r"^[^\S\n]*```[^\n]*\n(.*?)(?:^[^\S\n]*```|\Z)", re.DOTALL | re.MULTILINE)
_MARKUP = re.compile(r"\\(?:boxed|text|mathbf|mathrm)\b|\\[()\[\]!,;]|[*_`{}$€£¥]|\\[$%]")
_NUMBER = (
    rf"(?P<sign>[-−]\s?)?(?:(?P<whole>\d+) (?=\d+/\d))?(?P<top>{DIGITS})"
    r"(?:\s?/\s?(?P<bottom>\d+)(?!\.?\d))?(?!\d)"
)
_GOES_ON = r"(?![^\S\n]*(?:[+*/=×÷]|[-−][^\S\n]*\d)|[^\S\n]+(?:(?:or|and|to)[^\S\n]+)?\d|\.\d|[ij]\b)"
"""Behind a number that is only the beginning of something else: `48 + 24`, `48 or 72`."""
_STATED = re.compile(rf"(?:\banswer(?: is|:| =)+|####)[\s:]*{_NUMBER}{_GOES_ON}", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_SOLVED = re.compile(r"solve for\s+([A-Za-z_]\w*)", re.ASCII)
_ALONE = re.compile(rf"(?:.*(?<![<>!=])=)?\s*{_NUMBER}(?![ij]\b)[^\d=+*/]*")
"""A line with one number, or with one behind its last `=`: `72 clips`, `48 + 24 = 72 clips`."""


def read_freely(thought: Thought, text: str, sandbox: Sandbox) -> Outcome | None:
    """What the text comes to when its form does not matter; None where it has no answer either way."""
    if isinstance(thought, KeyPointThought):
        return read_freely(thought.solution, text.rpartition(SOLUTION)[2], sandbox)
    for variant in islice(_variants(text), MOST_VARIANTS):
        outcome = thought.outcome(variant, sandbox)
        if outcome.value is not None or outcome.reason in (Reason.TIME_LIMIT, Reason.MEMORY_LIMIT):
            return outcome
    value = stated_value(text)
    return None if value is None else Outcome(value=value)


def stated_value(text: str) -> Fraction | None:
    """The number that a text names as its answer, the last one if there are several; else a number alone."""
    text = _FRACTION.sub(r"\1/\2", text)
    boxed = _BOXED.findall(text)
    if boxed and (found := _ALONE.fullmatch(_plain(boxed[-1]))):
        return _value(found)
    plain = _plain(text)
    if stated := list(_STATED.finditer(plain)):
        return _value(stated[-1])
    lines = [line for line in plain.splitlines() if line.strip()]
    alone = _ALONE.fullmatch(lines[-1]) if lines else None
    return None if alone is None else _value(alone)


def _variants(text: str) -> Iterator[str]:
    """Texts that may have the form: code in fences, equations up to their last line, programs."""
    blocks = [match[1] for match in _FENCE.finditer(text)]
    for part in (*(["\n".join(blocks)] if blocks else []), *reversed(blocks[1:]), text):
        if part is not text:
            yield part
        if solved := list(_SOLVED.finditer(part)):
            yield _without_markup(part[: solved[-1].end()])
        yield from _programs(part)


def _programs(text: str) -> Iterator[str]:
    """The lines from the first on that are a program, up to a remark.

    Where it has no `answer`, what it prints last is the answer, else what it assigns last.
    """
    program = leading_program(text)
    if program is None:
        return
    yield program.source
    if "answer" not in program.assigned:
        yield from (
            f"{program.source}\nanswer = {shown}"
            for shown in (program.shown, *program.assigned[-1:])
            if shown
        )


def _without_markup(text: str) -> str:
    return "\n".join(line.strip("*`$ ") for line in text.splitlines())


def _plain(text: str) -> str:
    return _MARKUP.sub("", text)


def _value(found: re.Match[str]) -> Fraction | None:
    if len(found[0]) > MAX_DIGITS or (found["bottom"] and int(found["bottom"]) == 0):
        return None
    top = as_written(found["top"].replace(",", ""))
    value = int(found["whole"] or 0) + top / int(found["bottom"] or 1)
    return -value if found["sign"] else value
