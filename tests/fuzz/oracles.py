"""Checks what must hold for every text that the derivation parser and the equation parser are given.

Each check raises AssertionError if a parser computed something wrong. Any other exception is a crash.
"""

from __future__ import annotations

import ast
import keyword
import random
import re
from collections.abc import Mapping
from fractions import Fraction

from fdd.agents.checking.equations import (
    MAX_EQUATIONS,
    Expression,
    Operation,
    Refused,
    evaluate,
    read_equation,
    read_expression,
    solve_equations,
)
from fdd.agents.symbolic import derivation as derivations
from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.numbers import write_plain
from fdd.agents.symbolic.reading.parse import derive, read_claims
from fdd.agents.symbolic.varying.harder import harder
from fdd.agents.symbolic.varying.similar import similar
from fdd.agents.thoughts import eot, known, thought
from fdd.agents.thoughts.base import Outcome
from fdd.domain import Draft, Problem, Reason, Refusal, problem_id

LIMITS = (Reason.MEMORY_LIMIT, Reason.SYNTAX_ERROR)
"""Reasons that the equation reader gives for text that is too long or too deeply nested."""

_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_PREFIXES = {ast.UAdd: "+", ast.USub: "-"}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class EquationSandbox:
    """Stands in for the sandbox. Programs of derivations are chains of assignments, so it solves them as
    equations."""

    def run_program(self, source: str) -> Outcome:
        return solve_equations(source.splitlines(), "answer")


def check_derivation(question: str, solution: str) -> bool:
    """Whether a derivation of the solution's last result can be read; if so, checks that it is sound."""
    claims = [claim for plain in (False, True) for claim in read_claims(solution, plain=plain)]
    assert all(0 <= claim.start <= claim.end <= len(claim.text) for claim in claims)
    written = [claim.written for claim in claims if claim.written is not None]
    if not written:
        return False
    read = derive(question, solution, written[-1])
    if isinstance(read, Refusal):
        read = derive(question, solution, written[-1], repair=True)
    if isinstance(read, Refusal):
        return False
    assert read.answer == written[-1]
    check_steps(read)
    check_rationales(read)
    check_children(read, solution)
    return True


def check_steps(read: Derivation) -> None:
    """Checks that the question's numbers and the earlier steps give the value of every step."""
    names = [step.name for step in read.steps]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isidentifier() and not keyword.iskeyword(name) for name in names)
    assert all(0 <= q.start < q.end <= len(read.question) for q in read.quantities)
    givens, results = [quantity.value for quantity in read.quantities], list[Fraction]()
    for step in read.steps:
        assert derivations.evaluate(step.expression, givens, results) == step.value
        results.append(step.value)


def check_rationales(read: Derivation) -> None:
    """Checks that the derivation gives its answer in every format, or is too long for the format."""
    for name in known():
        outcome = thought(name).outcome(thought(name).render(read), EquationSandbox())
        check_outcome(outcome)
        assert outcome.value == read.answer or outcome.reason in LIMITS, (name, outcome)


def check_children(read: Derivation, solution: str) -> None:
    """Checks that problems made from the derivation have solutions that give their answers."""
    parent = Problem(
        id=problem_id(read.question, read.answer),
        question=read.question,
        answer=read.answer,
        solution=solution,
        source="fuzz",
    )
    for child in (
        similar(parent, read, random.Random(0)),
        harder(parent, read, [parent], random.Random(0)),
    ):
        if isinstance(child, Draft):
            assert isinstance(derive(child.question, child.solution, child.answer), Derivation)


def check_equation(text: str) -> bool:
    """Whether the text is read as an equation; if so, checks that Python's parser reads the same tree."""
    try:
        equation = read_equation(text)
    except Refused as refused:
        check_outcome(refused.outcome)
        return False
    for side, tree in zip(text.split("="), (equation.left, equation.right), strict=True):
        check_written(tree)
        assert _python_tree(side) in (None, tree), side
    return True


def check_written(tree: Expression) -> None:
    """Checks that the tree, written as text, is read as the same tree, unless it has too many parentheses."""
    try:
        again = read_expression(_written(tree))
    except Refused as refused:
        assert refused.outcome.reason in LIMITS
        return
    assert again == tree


def check_system(text: str) -> bool:
    """Whether the equations, which end in a `solve for` line, have a solution; if so, checks it in each."""
    outcome = eot.THOUGHT.outcome(text, EquationSandbox())
    check_outcome(outcome)
    if outcome.value is None:
        return False
    lines = [line.strip() for line in text.splitlines() if line.strip()][:-1]
    assert len(lines) <= MAX_EQUATIONS
    names = {name for line in lines for name in _NAME.findall(line)}
    values = {name: solve_equations(lines, name).value for name in names}
    for equation in map(read_equation, lines):
        left, right = _value(equation.left, values), _value(equation.right, values)
        assert left is None or right is None or left == right, values
    return True


def check_outcome(outcome: Outcome) -> None:
    """Checks that an outcome has either a value or a fault, and at most one line of detail.

    Only with wrong arithmetic may it have both.
    """
    if outcome.reason is not Reason.WRONG_ARITHMETIC:
        assert (outcome.value is None) != outcome.reason.accepted
    assert "\n" not in outcome.detail


def _value(expression: Expression, values: Mapping[str, Fraction | None]) -> Fraction | None:
    """Evaluates the expression exactly; None if a name has no value or a power is irrational."""

    def name(text: str) -> Fraction:
        value = values[text]
        if value is None:
            raise ArithmeticError
        return value

    try:
        found: object = evaluate(expression, Fraction, name)
    except ArithmeticError:
        return None
    return found if isinstance(found, Fraction) else None


def _written(tree: Expression) -> str:
    if isinstance(tree, Operation):
        return f"({_written(tree.left)} {tree.sign} {_written(tree.right)})"
    return write_plain(tree) if isinstance(tree, Fraction) else tree


def _python_tree(text: str) -> Expression | None:
    """Parses the text with Python's own parser; None if it is not Python or has other syntax than ours."""
    try:
        parsed = ast.parse(f"({text}\n)", mode="eval")
    except (SyntaxError, ValueError):
        return None
    return _translated(parsed.body, f"({text}\n)")


def _translated(node: ast.expr, source: str) -> Expression | None:
    match node:
        case ast.BinOp(left, sign, right):
            parts = _translated(left, source), _translated(right, source)
            return None if None in parts else Operation(_SIGNS[type(sign)], *parts)  # type: ignore[arg-type]
        case ast.UnaryOp(sign, operand):
            part = _translated(operand, source)
            return None if part is None else Operation(_PREFIXES[type(sign)], Fraction(0), part)
        case ast.Name(name):
            return name
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return Fraction(str(ast.get_source_segment(source, node)))
        case _:
            return None
