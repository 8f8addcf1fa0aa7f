"""Generates small expressions like those that students write, from a seed: harmless Python."""

from __future__ import annotations

import random
from collections.abc import Callable

OPERATORS = ("+", "-", "*", "/", "//", "%")
COMPARISONS = ("<", "<=", "==", "!=", ">", ">=")
POWERS = ("0", "2", "3", "10", "-1", "-2", "0.5", "(1/3)")
FORMATS = ("{:.2f}", "{:.0f}", "{:,}", "{:g}", "{:.3e}", "{:.1%}", "{:10.3f}", "{}")
ODD_NUMBERS = ("0", "1", "0.1", "0.25", "1e-07", "1e16", "1e22", "123456789.125", "0.5", "100")
FUNCTIONS = (
    *("sqrt", "exp", "log", "log10", "log2", "sin", "cos", "tan", "atan", "degrees", "radians", "cbrt"),
    *("floor", "ceil", "trunc", "fabs", "exp2", "expm1", "log1p", "gamma", "lgamma", "erf", "isqrt"),
)
FUNCTIONS_OF_TWO = ("hypot", "pow", "fmod", "atan2", "remainder", "copysign", "gcd", "lcm")
COUNTING = ("comb", "perm")
"""Functions that take very long for large numbers."""


class Writer:
    """Writes expressions; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def expressions(self, count: int) -> list[str]:
        """Returns expressions of every kind in turn. They need `math` and `Decimal` to be imported."""
        kinds = (self.nested, self.rounded, self.formatted, self.decimal, self.mathematical, self.built_in)
        return [kinds[index % len(kinds)]() for index in range(count)]

    def number(self) -> str:
        chance = self._chance
        kinds: tuple[Callable[[], str], ...] = (
            lambda: str(chance.randint(0, 20)),
            lambda: str(chance.randint(0, 10**6)),
            lambda: f"{chance.uniform(0, 1000):.{chance.randint(1, 4)}f}",
            lambda: chance.choice(ODD_NUMBERS),
            lambda: str(chance.randint(10**15, 10**40)),
            lambda: f"(-{chance.randint(1, 50)})",
            lambda: f"(-{chance.uniform(0, 100):.2f})",
        )
        return chance.choice(kinds)()

    def nested(self, depth: int = 3) -> str:
        chance = self._chance
        if depth == 0 or chance.random() < 0.15:
            return self.number()
        left, right = self.nested(depth - 1), self.nested(depth - 1)
        kinds = (
            *[f"({left} {chance.choice(OPERATORS)} {right})"] * 4,
            f"({self.number()} ** {chance.choice(POWERS)})",
            f"{chance.choice(('round', 'int', 'abs', 'float', 'math.floor', 'math.ceil'))}({left})",
            f"{chance.choice(('min', 'max'))}({left}, {right})",
            f"({left} {chance.choice(COMPARISONS)} {right})",
        )
        return chance.choice(kinds)

    def rounded(self) -> str:
        """Returns a call of `round`, often of a tie, or of the binary number next to one."""
        chance = self._chance
        tie = f"{chance.randint(0, 999)}.{chance.randint(0, 99)}5"
        number = chance.choice((tie, tie, self.number(), self.nested(2)))
        return f"round({number}, {chance.randint(-3, 4)})"

    def formatted(self) -> str:
        return f"{self._chance.choice(FORMATS)!r}.format({self.nested(2)})"

    def decimal(self) -> str:
        chance = self._chance
        left, right = (f"Decimal('{self.number().strip('()')}')" for _ in range(2))
        kinds = (
            *[f"{left} {chance.choice(OPERATORS)} {right}"] * 4,
            f"round({left}, {chance.randint(0, 3)})",
            f"{left}.quantize(Decimal('0.01'))",
            f"{left} ** {chance.randint(-3, 4)}",
            f"{chance.choice(('int', 'float', 'abs', 'str', 'round'))}({left})",
            f"{left} {chance.choice(COMPARISONS)} {self.number()}",
        )
        return chance.choice(kinds)

    def mathematical(self) -> str:
        chance = self._chance
        kinds = (
            *[f"math.{chance.choice(FUNCTIONS)}({self.number()})"] * 4,
            *[f"math.{chance.choice(FUNCTIONS_OF_TWO)}({self.number()}, {self.number()})"] * 2,
            f"math.{chance.choice(COUNTING)}({chance.randint(-3, 60)}, {chance.randint(-3, 60)})",
        )
        return chance.choice(kinds)

    def built_in(self) -> str:
        chance = self._chance
        one, two, three = self.number(), self.number(), self.number()
        kinds = (
            f"divmod({one}, {two})",
            f"pow({chance.randint(-9, 99)}, {chance.randint(-3, 40)})",
            f"pow({chance.randint(1, 99)}, {chance.randint(-3, 40)}, {chance.randint(1, 50)})",
            f"sum([{one}, {two}, {three}])",
            f"sorted([{one}, {two}, {three}])",
            f"int({chance.choice((one, two)).strip('()')!r})",
            f"float({one.strip('()')!r})",
            f"{chance.randint(0, 99)} << {chance.randint(0, 70)}",
            f"{chance.randint(-999, 10**20)} {chance.choice('&|^')} {chance.randint(-99, 10**9)}",
            f"sum(x / {chance.randint(1, 9)} for x in range({chance.randint(1, 50)}))",
            f"-{one} ** 2",
            f"complex({one}, 1) * 2",
        )
        return chance.choice(kinds)
