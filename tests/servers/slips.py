"""Makes wrong derivations: one slip in one step, and its consequences in all later steps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

from fdd.agents.symbolic.derivation import (
    OPERATORS,
    Constant,
    Derivation,
    Expression,
    Given,
    Operation,
    Result,
    Step,
    evaluate,
)


def slipped(derivation: Derivation, rng: random.Random) -> Derivation | None:
    """Returns the derivation with one operator or operand changed and all later steps computed again.

    The answer is always a different one. Among all such slips, picks a random one that leaves every value
    plausible, or else any. Returns None if no slip changes the answer.
    """
    slips = [(at, slip) for at in range(len(derivation.steps)) for slip in _slips(derivation, at)]
    rng.shuffle(slips)
    implausible = None
    for at, slip in slips:
        wrong = _reckon(derivation, at, slip)
        if wrong is not None and wrong.answer != derivation.answer:
            if _is_plausible(wrong, derivation):
                return wrong
            implausible = implausible or wrong
    return implausible


def _slips(derivation: Derivation, at: int) -> Iterator[Expression]:
    givens = [quantity.value for quantity in derivation.quantities]
    results = [step.value for step in derivation.steps[:at]]

    def change(expression: Expression) -> Iterator[Expression]:
        if isinstance(expression, Operation):
            sign, left, right = expression.sign, expression.left, expression.right
            yield from (Operation(other, left, right) for other in OPERATORS if other != sign)
            yield from (Operation(sign, changed, right) for changed in change(left))
            yield from (Operation(sign, left, changed) for changed in change(right))
            return
        value = evaluate(expression, givens, results)
        yield from (Given(index) for index, given in enumerate(givens) if given != value)
        yield from (Result(index) for index, result in enumerate(results) if result != value)
        yield from (Constant(value + miscount) for miscount in (-1, 1, 10))

    return change(derivation.steps[at].expression)


def _reckon(derivation: Derivation, at: int, slip: Expression) -> Derivation | None:
    givens = [quantity.value for quantity in derivation.quantities]
    expressions = [step.expression for step in derivation.steps]
    expressions[at] = slip
    values: list[Fraction] = []
    for expression in expressions:
        try:
            values.append(evaluate(expression, givens, values))
        except ZeroDivisionError:
            return None
    steps = list(zip(derivation.steps, expressions, values, strict=True))
    # A sentence of the worked solution that states old values would contradict the new ones.
    stale = {
        old.text for old, expression, value in steps if (old.expression, old.value) != (expression, value)
    }
    return Derivation(
        derivation.question,
        derivation.quantities,
        tuple(
            Step(expression, value, old.name, "" if old.text in stale else old.text)
            for old, expression, value in steps
        ),
    )


def _is_plausible(wrong: Derivation, right: Derivation) -> bool:
    """Whether every positive value stayed positive and every integer stayed an integer."""
    return all(
        (new.value > 0 or old.value <= 0) and (new.value.denominator == 1 or old.value.denominator > 1)
        for new, old in zip(wrong.steps, right.steps, strict=True)
    )
