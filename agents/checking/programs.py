"""Analyses programs without running them: the numbers that they write, and steps that nothing uses."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import isfinite

MOST_TRIES = 20
"""Attempts to parse a text; after each, the text is cut at the line where it stops being a program."""

_PARSING = threading.Lock()
"""Python 3.11 counts how deep a tree is for all threads together, and fails if two parse at a time."""
_NEWLINE = re.compile(r"\r\n?|\n")
_BACKSLASH = re.compile(r"\\(?!\n)")
_PLAIN_CALLS = frozenset({"min", "max", "abs", "sum", "int", "float", "round"})
"""Functions whose arguments are amounts; of `round` only the first is."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number written in a program, at the bytes from `start` to `end` of its source."""

    value: Fraction
    start: int
    end: int
    amount: bool
    """True if the program computes with it; otherwise it may count digits, places or repetitions."""
    parts: tuple[Fraction, ...]
    """The two numbers of a fraction such as `3 / 4`, each of which is a literal too; else empty."""


@dataclass(frozen=True)
class Program:
    """A parsed program; `source` is its text."""

    source: str
    tree: ast.Module

    @cached_property
    def literals(self) -> tuple[Literal, ...]:
        """Every number in the program; for a fraction such as `3 / 4`, the whole and both parts."""
        # `ast` counts columns in bytes.
        lengths = (len(line) + 1 for line in _encoded(self.source).split(b"\n"))
        starts = [0, *accumulate(lengths)]
        return tuple(_literals(self.tree, starts))

    @property
    def computes(self) -> bool:
        return any(
            isinstance(node, ast.BinOp | ast.AugAssign | ast.Compare | ast.Call)
            for node in ast.walk(self.tree)
        )

    @cached_property
    def unused(self) -> str | None:
        """The name in the first top-level assignment that `answer` does not depend on; None without one."""
        # Backwards from `answer`, so that each name counts as used only if a later line needs it.
        found = None
        wanted = {"answer"}
        for statement in reversed(self.tree.body):
            name, value = _assignment(statement)
            if name is not None and name not in wanted:
                found = name
            # The others assign no amounts, so they cannot be unused steps.
            elif not isinstance(statement, ast.Expr | ast.Import | ast.ImportFrom):
                # `+=` also reads the name, which therefore stays wanted.
                if name is not None and not isinstance(statement, ast.AugAssign):
                    wanted.discard(name)
                wanted |= {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
        return found

    @property
    def assigned(self) -> list[str]:
        """The names assigned at the top level, in order."""
        return [name for statement in self.tree.body if (name := _assignment(statement)[0])]

    @property
    def shown(self) -> str | None:
        """The expression that the last statement prints or consists of; None if it does neither."""
        match self.tree.body[-1:]:
            case [ast.Expr(ast.Call(ast.Name("print"), [value]))] | [ast.Expr(value)]:
                return ast.get_source_segment(self.source, value)
        return None

    def with_numbers(self, changes: Mapping[Fraction, Fraction], *, exact: bool) -> str | None:
        """The program with these numbers replaced; None if the replacement is ambiguous.

        With `exact`, `//` becomes `/`: a floor division that left no remainder before must leave none now.
        """
        chosen = []
        for literal in self.literals:
            if literal.value not in changes:
                continue
            parts = [changes.get(part, part) for part in literal.parts]
            if parts == list(literal.parts):
                chosen.append(literal)
            if not literal.amount or (
                parts and parts != list(literal.parts) and parts[0] != parts[1] * changes[literal.value]
            ):
                return None
        # From the end, so that the positions of the numbers before stay valid.
        chosen.sort(key=lambda literal: literal.start, reverse=True)
        data = _encoded(self.source)
        for literal in chosen:
            data = data[: literal.start] + written(changes[literal.value]).encode() + data[literal.end :]
        text = data.decode("utf-8", "surrogatepass")
        return text.replace("//", "/") if exact else text


def written(value: Fraction) -> str:
    """Write a number for a program or an equation, in parentheses unless it is an integer of at least 0."""
    if value.denominator == 1:
        return str(value.numerator) if value >= 0 else f"({value.numerator})"
    return f"({value.numerator} / {value.denominator})"


def read_program(source: str) -> Program | None:
    """Parse a program; None if it is not valid Python."""
    found = _parsed(source)
    return found if isinstance(found, Program) else None


def leading_program(text: str) -> Program | None:
    """The leading lines of a text that are a program; None if there are none."""
    lines = _NEWLINE.split(text)
    for _ in range(MOST_TRIES):
        found = _parsed("\n".join(lines))
        if isinstance(found, Program):
            return found if found.tree.body else None
        del lines[min(found, len(lines)) - 1 :]
    return None


def _parsed(source: str) -> Program | int:
    """The program, or the number of the line at which parsing failed."""
    # Python warns of unknown escapes, which only strings have; no arithmetic needs a backslash within a line.
    source = _BACKSLASH.sub("|", _NEWLINE.sub("\n", source))
    try:
        with _PARSING:
            return Program(source, ast.parse(source))
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return 1


def _encoded(source: str) -> bytes:
    return source.encode("utf-8", "surrogatepass")


def _literals(tree: ast.AST, starts: Sequence[int]) -> Iterator[Literal]:
    """Yield every number of a program whose lines begin at these bytes."""

    def literal(node: ast.expr, value: Fraction, amount: bool, *parts: Fraction) -> Literal:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        return Literal(value, start, starts[node.end_lineno - 1] + node.end_col_offset, amount, parts)

    waiting = [(tree, True)]
    while waiting:
        node, amount = waiting.pop()
        match node:
            case ast.Constant(int() | float() as value) if not isinstance(value, bool) and isfinite(value):
                # `repr` gives the decimal as it is written: 0.1 is 1/10.
                yield literal(node, Fraction(repr(value)), amount)
            case ast.BinOp(ast.Constant(int() as top), ast.Div(), ast.Constant(int() as bottom)) if bottom:
                yield literal(node, Fraction(top, bottom), amount, Fraction(top), Fraction(bottom))
        waiting += [(child, amount and _is_amount(node, child)) for child in ast.iter_child_nodes(node)]


def _is_amount(node: ast.AST, child: ast.AST) -> bool:
    match node:
        case ast.Subscript() | ast.FormattedValue():
            return False
        case ast.Call(ast.Name(name), [first, *others]):
            return name in _PLAIN_CALLS and (child is first or (name != "round" and child in others))
        case ast.Call():
            return False
    return True


def _assignment(statement: ast.stmt) -> tuple[str | None, ast.AST]:
    """The name and the value of a plain assignment; None and the whole statement for any other."""
    match statement:
        case (
            ast.Assign([ast.Name(name)], value)
            | ast.AnnAssign(ast.Name(name), _, ast.expr() as value)
            | ast.AugAssign(ast.Name(name), _, value)
        ):
            return name, value
    return None, statement
