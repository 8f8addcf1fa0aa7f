"""Chain of thought: sentences with their arithmetic written out, then `The answer is 72.`"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil, floor

from fdd.agents.checking.origins import Origins
from fdd.agents.checking.renumbered import Renumbered
from fdd.agents.checking.values import fault
from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Step, leaves
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.arithmetic import find_equations, value_of
from fdd.agents.symbolic.reading.parse import read_claims
from fdd.agents.symbolic.wording.infix import with_values
from fdd.agents.thoughts.base import Outcome, Sandbox
from fdd.amounts import CURRENCY, parse_number
from fdd.domain import Reason

ARITHMETIC = """\
- Write operations as plain text with `+ - * / =` and parentheses; no LaTeX, no Markdown.
- The two sides of a `=` must be equal exactly, for every operation is checked. Where a division does not
  come out even, write a fraction, `10 / 3 = 10/3`, never a rounded decimal or a remainder. Where the problem
  asks for a rounded number, or its story allows whole things only, say so after the exact result:
  `50 / 20 = 2.5, so 3 buses are needed`.
- Begin a new operation where a result is used again: `3 * 4 = 12` and then `12 + 5 = 17`, never
  `3 * 4 = 12 + 5 = 17`.
- The last line is exactly `The answer is N.`, where N is the number alone, in digits and in the unit that
  the problem asks for (where that is a percentage, 25 and not 0.25), without unit or words:
  `The answer is 72.`\
"""
"""Instructions for operations and the answer, shared by all prompts whose texts `ChainOfThought` reads."""
PROMPT = f"""\
Write the solution in short sentences, a line for each step of the reasoning, and then the answer.
- Each step writes out its operation and what it comes to: `It sold 48 / 2 = 24 kites in June.` Reckon with
  numbers, not with unknowns such as x.
{ARITHMETIC}\
"""

_ANSWER = re.compile(r"The answer is (\S.*)")
_UNIT = re.compile(r"[^\S\n]*[^\W\d]")
_BULLET = re.compile(r"^\s*(?:[-•*]|\d+[.)])\s+")
_SLASH = re.compile(rf"(?<![\d.])(\d+)/(\d+)(?![\d.])|(?<=[\d)%])\s*/\s*(?={CURRENCY}|[(.\d])")
# In this order: `÷ 3/4` must get its parentheses before a plain `÷` becomes `/`.
_OPERATORS = [
    (re.compile(rf"(?<=[\w)%])\s*[x×](?=\s*(?:{CURRENCY}|[(.\d]))"), " *"),
    (re.compile(r"(?<=\d)\.0+(?!\d)"), ""),
    (re.compile(r"÷\s*(\d+/\d+)"), r" / (\1)"),
    (re.compile(r"÷"), "/"),
    (re.compile(r"[–−]"), "-"),
    (re.compile(r"\s*([+*=])\s*"), r" \1 "),
    (re.compile(rf"(?<=[\d)%])\s*-\s*(?={CURRENCY}|[(.\d])"), " - "),
]


@dataclass(frozen=True, slots=True)
class ChainOfThought:
    """The sentences of the worked solution, or plain ones for steps that they do not show."""

    cue: str = "Think step by step."
    prompt: str = PROMPT

    def render(self, derivation: Derivation) -> str:
        return "\n".join([*_sentences(derivation), f"The answer is {write_plain(derivation.answer)}."])

    def outcome(self, text: str, sandbox: Sandbox) -> Outcome:  # noqa: ARG002
        """The number in the last line, with a fault if an operation before it is wrong."""
        value = read_answer(text)
        if value is None:
            return fault(Reason.NO_ANSWER, "the last line is not `The answer is N.`")
        wrong = wrong_arithmetic(text)
        return Outcome(value=value) if wrong is None else fault(Reason.WRONG_ARITHMETIC, wrong, value)

    def flaw(self, text: str, origins: Origins, answer: Fraction) -> Outcome | None:
        """Report an answer that no written operation gives, or only an operation with unexplained numbers."""
        results: set[Fraction] = set()  # of operations that use numbers of the question
        side: set[Fraction] = set()  # of operations on constants alone: 60 * 24 minutes a day
        unexplained = ""

        def rests_on_question(number: Fraction) -> bool:
            return number in origins.given or any(number in _readings(result) for result in results)

        def is_explained(number: Fraction) -> bool:
            return rests_on_question(number) or number in side or origins.explains(number)

        for claim in read_claims(_body(text), plain=True):
            if (value := _value(claim.expression)) is None:
                continue
            operands = [leaf.value for leaf in leaves(claim.expression) if isinstance(leaf, Constant)]
            strange = next((operand for operand in operands if not is_explained(operand)), None)
            if strange is not None:
                written = claim.text[claim.start : claim.end]
                unexplained = f"`{written}`: nothing gives {write_plain(strange)}"
            elif origins.given and not any(map(rests_on_question, operands)):
                side.add(value)
            else:
                results.add(value)
        if any(answer in _readings(result) for result in results):
            return None
        if unexplained:
            return fault(Reason.UNEXPLAINED_NUMBER, unexplained, answer)
        if results and answer in origins.given:
            return None
        return fault(Reason.NO_REASONING, f"no written operation comes to {write_plain(answer)}", answer)

    def renumbered(self, text: str, question: Renumbered, sandbox: Sandbox) -> frozenset[Fraction]:  # noqa: ARG002
        value = question.recompute(_body(text))
        return frozenset(() if value is None else (value,))


def _readings(result: Fraction) -> tuple[Fraction, ...]:
    """The forms in which later steps may use a result: in percent, as a share, rounded, or negated."""
    rounded = (Fraction(round(result * 10**places), 10**places) for places in (0, 1, 2))
    return (
        result,
        -result,
        result * 100,
        result / 100,
        Fraction(floor(result)),
        Fraction(ceil(result)),
        *rounded,
    )


def _body(text: str) -> str:
    """The text without its last line, which states the answer."""
    return text.strip().rpartition("\n")[0]


def read_answer(text: str) -> Fraction | None:
    """The number that the last line states: `-3`, `$1,200.50`, `25%` (25), `3/4`, `1 1/2`.

    Nothing may follow it, because it could take the answer back.
    """
    lines = text.strip().splitlines()
    last = _ANSWER.fullmatch(lines[-1].strip()) if lines else None
    return parse_number(last[1]) if last else None


def wrong_arithmetic(text: str) -> str | None:
    """The first written operation with an inexact result, described in one line; None if all are exact."""
    shown = text.replace("####", "")  # the parser would skip a line with this mark
    for plain in (True, False) if "<<" in text else (True,):
        for claim in read_claims(shown, plain=plain):
            value = _value(claim.expression)
            if claim.written is not None and value is not None and claim.written != value:
                return f"`{claim.text[claim.start : claim.end]}`: the value is {write_plain(value)}"
    return _unequal(shown)


def _value(expression: Expression) -> Fraction | None:
    """The value; None if it is too large for any problem, since its correctness does not matter then."""
    with suppress(OverflowError):
        return value_of(expression)
    return None


def _unequal(text: str) -> str | None:
    """The first false equation with a bare number on its left, such as `42 = 43` or `42 = 6 * 8`.

    The number must begin its line or be a result itself. Elsewhere it may be a label (`box 2 = 3 * 4`), and
    with a unit on either side the two may be different amounts.
    """
    for equation in find_equations(text):
        for place, (one, other) in enumerate(pairwise(equation.segments)):
            before = text[: one.start].rsplit("\n", 1)[-1].strip()
            stands_alone = not before or (place > 0 and before.endswith("="))
            bare = text[one.end : other.start].strip() == "=" and not _UNIT.match(text, other.end)
            if one.is_operation or one.percent or other.percent or not stands_alone or not bare:
                continue
            values = _value(one.expression), _value(other.expression)
            if None not in values and values[0] != values[1]:
                return f"`{text[one.start : other.end]}`: these are not equal"
    return None


def _sentences(derivation: Derivation) -> Iterator[str]:
    write = with_values(derivation)
    for text, group in groupby(derivation.steps, key=lambda step: step.text):
        steps = list(group)
        sentence = _tidy(text) if text else ""
        if _shows(sentence, steps):
            yield sentence
        else:
            for step in steps:
                subject = step.name.replace("_", " ").capitalize()
                yield f"{subject}: {write(step.expression)} = {write_plain(step.value)}."


def _shows(text: str, steps: list[Step]) -> bool:
    """Whether the sentence writes the result of each step as an operation, and no wrong arithmetic."""
    claims = list(read_claims(text, plain=True))
    written = {claim.written for claim in claims}
    return all(step.value in written for step in steps) and wrong_arithmetic(text) is None


def _tidy(text: str) -> str:
    """The sentence with its operators written `+ - * / =`, a space on either side, and a full stop."""
    # From the last equation to the first, so that the positions of those before stay valid.
    for equation in reversed(find_equations(text)):
        written = text[equation.start : equation.end]
        for pattern, replacement in _OPERATORS:
            written = pattern.sub(replacement, written)
        text = text[: equation.start] + _SLASH.sub(_divide, written) + text[equation.end :]
    text = _BULLET.sub("", text).strip()
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else f"{text}."


def _divide(match: re.Match[str]) -> str:
    """Put spaces around a division, but none inside a proper fraction (`1 1/2`, `3/4 * 80`)."""
    if match[1] is None:
        return " / "
    return match[0] if int(match[1]) < int(match[2]) else f"{match[1]} / {match[2]}"


THOUGHT = ChainOfThought()
