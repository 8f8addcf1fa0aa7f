"""Reads a worked solution into a derivation: checks every step exactly and links it to what it uses.

`Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. ...` with the
solution `She sold 48 / 2 = 24 clips in May. Together that is 48 + 24 = 72 clips.` and the answer 72 gives two
steps: the 48 of the question divided by 2, and the 48 of the question plus the result of the first step.
`2 / 3 = 0.67` is refused (`NO_DERIVATION`), because the written result is not exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice

from fdd.agents.symbolic.derivation import (
    Constant,
    Derivation,
    Expression,
    Operation,
    Result,
    Step,
    leaves,
)
from fdd.agents.symbolic.numbers import DIGITS, find_quantities, read_digits
from fdd.agents.symbolic.reading.arithmetic import Equation, Segment, find_equations, value_of
from fdd.agents.symbolic.reading.ledger import Claim
from fdd.agents.symbolic.reading.linking import Linker
from fdd.agents.symbolic.reading.naming import Namer
from fdd.amounts import CURRENCY, CURRENCY_SIGNS, DOTTED
from fdd.domain import MAX_TEXT, Reason, Refusal
from fdd.errors import brief

MAX_NUMBERS = 200
"""Maximum for the numbers of a question and the operations of a solution; linking takes quadratic time."""

_MARK = re.compile(r"<<([^<>]*)>>")
# A number after an equals sign that no operator follows: a result that the solution states.
_ASSERTED = re.compile(rf"=\s*{CURRENCY}?\s?({DIGITS})(?![\d.,]*\s*[-+*/x×÷(])")
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


def _ends_in(answer: Fraction, solution: str) -> bool:
    """Whether the last result that a solution writes is the answer, or the answer / 100 (0.25 for 25%).

    If not, an earlier step had the value of the answer by chance.
    """
    results = re.findall(rf"=\s*{CURRENCY}?\s*(\d[\d,]*(?:\.\d+)?|\.\d+)", solution)
    return not results or read_digits(results[-1].rstrip(",")) in (answer, answer / 100)


def read_claims(solution: str, *, plain: bool) -> Iterator[Claim]:
    """Yield the operations that a solution writes, in order; with `plain`, calculator marks are ignored.

    A calculator mark is `<<48/2=24>>`. Without `plain`, a sentence that has marks is read from these alone.
    """
    for sentence in _SENTENCE_END.split(_FINAL_LINE.sub("", solution)):
        marks = list(_MARK.finditer(sentence))
        text = _MARK.sub("", sentence).strip()
        if marks and not plain:
            yield from _marked(sentence, marks, text)
        else:
            yield from _claims(text, text, None)


def _marked(sentence: str, marks: Sequence[re.Match[str]], text: str) -> Iterator[Claim]:
    places = [(equation.start, equation.end) for equation in find_equations(text)]
    removed = len(sentence) - len(sentence.lstrip())
    for mark in marks:
        place = min(max(mark.start() - removed, 0), len(text))
        removed += len(mark[0])
        after = re.match(rf"{CURRENCY}?[\d.,]+\s?%", sentence[mark.end() :])
        content = mark[1] + ("%" if after and not mark[1].endswith("%") else "")
        span = next(((start, end) for start, end in places if start <= place <= end), (place, place))
        yield from _claims(content, text, span)


def _claims(source: str, text: str, span: tuple[int, int] | None) -> Iterator[Claim]:
    divided = find_equations(source)
    kept = {}
    if "%" in source or "percent" in source:
        kept = {equation.start: equation for equation in find_equations(source, "keep")}
    for equation in divided:
        in_percent = kept.get(equation.start, equation)
        start, end = span or (equation.start, equation.end)
        for expression, written, percent in _read_chain(equation, in_percent):
            yield Claim(expression, written, percent, text, start, end)


def _read_chain(divided: Equation, kept: Equation) -> Iterator[tuple[Expression, Fraction | None, bool]]:
    last = divided.segments[-1]
    if (last.percent and not last.is_operation) or len(divided.segments) == 1:
        values = {value_of(segment.expression) for segment in kept.segments}
        if len(values) == 1:
            yield from ((e, w, last.percent) for e, w in _chain(kept.segments))
            return
        hundred = Constant(Fraction(100))
        for expression, written in _chain(divided.segments):
            yield Operation("*", expression, hundred), None if written is None else written * 100, True
        return
    yield from ((e, w, False) for e, w in _chain(divided.segments))


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
    linker = Linker(question, quantities, claims, asserted=frozenset(asserted), repair=repair)
    root = linker.root(answer)
    if root is None and linker.ambiguous:
        return Refusal(reason=Reason.AMBIGUOUS, detail=f"several readings of {brief(linker.ambiguous)}")
    if root is None:
        return Refusal(reason=Reason.NO_DERIVATION, detail=linker.fault or f"no step reaches {answer}")
    # A repaired last step may have the answer as its value although the solution writes another number.
    corrected = repair and root == len(linker.ledger.nodes) - 1
    if not corrected and not _ends_in(answer, _FINAL_LINE.sub("", solution)):
        return Refusal(reason=Reason.NO_DERIVATION, detail="the solution goes on after its answer")
    return _prune(question, linker, root)


def _prune(question: str, linker: Linker, root: int) -> Derivation:
    """Keep the steps that the root depends on; number them from 0 and name them."""
    kept = linker.closure(root)
    position = {node: step for step, node in enumerate(kept)}
    namer = Namer()
    steps = []
    for index in kept:
        node = linker.ledger.nodes[index]
        claim = node.claim
        name = namer.name(claim.text[: claim.start], claim.text[claim.end :])
        steps.append(Step(_renumber(node.expression, position), node.value, name, claim.text))
    return Derivation(question, tuple(linker.ledger.quantities), tuple(steps))


def _renumber(expression: Expression, position: dict[int, int]) -> Expression:
    match expression:
        case Operation(sign, left, right):
            return Operation(sign, _renumber(left, position), _renumber(right, position))
        case Result(index):
            return Result(position[index])
        case _:
            return expression
