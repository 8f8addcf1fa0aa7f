"""Reads a worked solution into a derivation: checks every step exactly and links it to what it uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Operation, Result, Step, leaves
from fdd.agents.symbolic.numbers import DIGITS, PERCENT, find_quantities, read_digits
from fdd.agents.symbolic.reading.arithmetic import Segment, find_equations, value_of
from fdd.agents.symbolic.reading.known_numbers import Claim, KnownNumbers
from fdd.agents.symbolic.reading.linking import Linker
from fdd.agents.symbolic.reading.step_names import StepNamer
from fdd.amounts import CURRENCY, CURRENCY_SIGNS, DOTTED
from fdd.domain import MAX_TEXT, Reason, Refusal
from fdd.errors import brief

MAX_NUMBERS = 200
"""Maximum for the numbers of a question and the operations of a solution; linking takes quadratic time."""

_MARK = re.compile(r"<<([^<>]*)>>")
# A number after an equals sign that no operator follows: a result that the solution states.
_ASSERTED = re.compile(rf"=\s*{CURRENCY}?\s?({DIGITS})(?![\d.,]*\s*[-+*/x×÷(])")
_WRITTEN = re.compile(rf"=\s*{CURRENCY}?\s*(\d[\d,]*(?:\.\d+)?|\.\d+)")
_FINAL_LINE = re.compile(r"^[^\S\n]*####.*$", re.MULTILINE)
_LONG_NUMBER = re.compile(r"\d[\d,]{300}")
_SENTENCE_END = re.compile(
    r"(?<=[a-z\d%)][.!?])(?<!\bMr\.)(?<!\bDr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bMrs\.)"
    + "".join(rf"(?!(?<={word}\.)\s+\d)" for word in DOTTED)
    + rf"\s+(?=[A-Z{CURRENCY_SIGNS}\d])|\n+"
)


def derive(question: str, solution: str, answer: Fraction, *, repair: bool = False) -> Derivation | Refusal:
    """Read a worked solution into a derivation that reaches the answer, or return a Refusal.

    A step is accepted only if its written result is exact. With `repair`, a wrong result is computed again
    and later steps use the corrected value; if that fails, calculator marks are ignored and the plain
    arithmetic is read. The steps must reach the answer in any case. The Refusal has `Reason.AMBIGUOUS` where
    a step can be read in several ways, otherwise `Reason.NO_DERIVATION`.
    """
    for text in (question, solution):
        if len(text) > MAX_TEXT or _LONG_NUMBER.search(text):
            return Refusal(reason=Reason.NO_DERIVATION, detail="the text, or a number in it, is too long")
    found = _assemble(question, solution, answer, repair=repair, plain=False)
    if isinstance(found, Refusal) and repair and "<<" in solution:
        found = _assemble(question, solution, answer, repair=True, plain=True)
    return found


def read_claims(solution: str, *, plain: bool) -> Iterator[Claim]:
    """Yield the operations that a solution writes; with `plain`, marks (`<<48/2=24>>`) are ignored."""
    for sentence in _SENTENCE_END.split(_FINAL_LINE.sub("", solution)):
        marks = list(_MARK.finditer(sentence))
        text = _MARK.sub("", sentence).strip()
        if plain or not marks:
            yield from _claims(text, text, None)
            continue
        places = [(equation.start, equation.end) for equation in find_equations(text)]
        removed = len(sentence) - len(sentence.lstrip())
        for mark in marks:
            place = min(max(mark.start() - removed, 0), len(text))
            removed += len(mark[0])
            after = re.match(rf"{CURRENCY}?[\d.,]+\s?{PERCENT}", sentence[mark.end() :])
            content = mark[1] + ("%" if after and not mark[1].endswith("%") else "")
            span = next(((start, end) for start, end in places if start <= place <= end), (place, place))
            yield from _claims(content, text, span)


def _claims(source: str, text: str, span: tuple[int, int] | None) -> Iterator[Claim]:
    """Yield the operations of `source`, a part of `text`, at `span` or where they stand in the text."""
    kept = {}
    if re.search(PERCENT, source):
        kept = {equation.start: equation.segments for equation in find_equations(source, "keep")}
    for equation in find_equations(source):
        start, end = span or (equation.start, equation.end)
        last = equation.segments[-1]
        in_percent = kept.get(equation.start, equation.segments)
        if len(equation.segments) > 1 and (not last.percent or last.is_operation):
            for expression, written in _chain(equation.segments):
                yield Claim(expression, written, False, text, start, end)
        elif len({value_of(segment.expression) for segment in in_percent}) == 1:
            for expression, written in _chain(in_percent):
                yield Claim(expression, written, last.percent, text, start, end)
        else:
            for expression, written in _chain(equation.segments):
                times_100 = Operation("*", expression, Constant(Fraction(100)))
                yield Claim(times_100, None if written is None else written * 100, True, text, start, end)


def _chain(segments: Sequence[Segment]) -> Iterator[tuple[Expression, Fraction | None]]:
    """Split `a + b = c + d = e` into operations and the results that they claim.

    An operation with the value of the one before it only rewrites that one (`4 * 6 * 2 = 24 * 2`). In
    `4*6 = 24 + 10 = 34` the second operation begins with the result of the first.
    """
    pending: Expression | None = None
    result: Fraction | None = None
    for segment in segments:
        value = value_of(segment.expression)
        if not segment.is_operation:
            if pending is not None:
                yield pending, value
            pending = result = None
        elif pending is None:
            pending = segment.expression
        elif value == value_of(pending):
            result = value
        else:
            carried = next(leaves(segment.expression)) == Constant(value_of(pending))
            yield pending, value_of(pending) if carried else value
            pending, result = segment.expression, None
    if pending is not None:
        yield pending, result


def _assemble(
    question: str, solution: str, answer: Fraction, *, repair: bool, plain: bool
) -> Derivation | Refusal:
    quantities = find_quantities(question)
    claims = tuple(islice(read_claims(solution, plain=plain), MAX_NUMBERS + 1))
    if max(len(quantities), len(claims)) > MAX_NUMBERS:
        detail = f"more than {MAX_NUMBERS} numbers in the question or operations in the solution"
        return Refusal(reason=Reason.NO_DERIVATION, detail=detail)
    asserted = {read_digits(match[1]) for match in _ASSERTED.finditer(solution)}
    asserted -= {claim.written for claim in claims}
    linker = Linker(KnownNumbers(question, quantities), claims, asserted, repair=repair)
    root = linker.root(answer)
    if root is None and linker.ambiguous:
        return Refusal(reason=Reason.AMBIGUOUS, detail=f"several readings of {brief(linker.ambiguous)}")
    if root is None:
        return Refusal(reason=Reason.NO_DERIVATION, detail=linker.fault or f"no step reaches {answer}")
    # A repaired last step may have the answer as its value although the solution writes another number.
    corrected = repair and root == len(linker.known.nodes) - 1
    # If the last written result is neither the answer nor the answer / 100 (0.25 for 25%), an earlier step
    # had the value of the answer by chance.
    last = _WRITTEN.findall(_FINAL_LINE.sub("", solution))[-1:]
    if not corrected and any(read_digits(each.rstrip(",")) not in (answer, answer / 100) for each in last):
        return Refusal(reason=Reason.NO_DERIVATION, detail="the solution goes on after its answer")

    # Keep the steps that the root depends on; number them from 0 and name them.
    kept = linker.closure(root)
    position = {node: step for step, node in enumerate(kept)}
    namer = StepNamer()
    steps = []
    for node in (linker.known.nodes[index] for index in kept):
        claim = node.claim
        name = namer.name(claim.text[: claim.start], claim.text[claim.end :])
        steps.append(Step(_renumber(node.expression, position), node.value, name, claim.text))
    return Derivation(question, quantities, tuple(steps))


def _renumber(expression: Expression, position: dict[int, int]) -> Expression:
    match expression:
        case Operation(sign, left, right):
            return Operation(sign, _renumber(left, position), _renumber(right, position))
        case Result(index):
            return Result(position[index])
        case _:
            return expression
