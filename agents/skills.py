"""Which skill a problem exercises: its template, or the way in which its derivation computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fdd.agents.symbolic.derivation import Constant, Derivation, Expression, Given, Operation, Result
from fdd.agents.symbolic.reading.parse import derive
from fdd.domain import Problem, SkillKind

FEWEST = 5
"""Problems that must share a signature for it to be a skill; evidence on fewer says too little."""
OTHER = "other"
"""The skill of problems whose solution cannot be read as a derivation."""


def skills_of(problems: Sequence[Problem], kind: SkillKind) -> list[str]:
    """Returns the skill of each problem: its template or, by `derivation` or without one, its signature.

    Labels by a model are those of `agents.labeller`.

    Signatures of fewer than `FEWEST` of the problems are grouped by their number of steps.
    """
    named = [problem.template if kind == "template" else "" for problem in problems]
    derivations = [
        None if name else derive(problem.question, problem.solution, problem.answer)
        for name, problem in zip(named, problems, strict=True)
    ]
    signatures = [signature(each) if isinstance(each, Derivation) else OTHER for each in derivations]
    shared = Counter(text for text, name in zip(signatures, named, strict=True) if not name)
    return [
        name or (text if shared[text] >= FEWEST or text == OTHER else f"{text.count(';') + 1} steps")
        for name, text in zip(named, signatures, strict=True)
    ]


def sub_skill(skill: str) -> str:
    """Returns the name of the skill below this one, of problems with one more step.

    >>> sub_skill("trains"), sub_skill("trains +1")
    ('trains +1', 'trains +2')
    """
    above, _, level = skill.rpartition(" +")
    return f"{above} +{int(level) + 1}" if above and level.isdecimal() else f"{skill} +1"


def signature(derivation: Derivation) -> str:
    """Writes which operations a derivation uses and how they feed each other, without its numbers.

    `48 / 2 = 24, 48 + 24 = 72` gives `n/c; n+1`: `n` is a number of the question, `c` another constant, and 1
    the result of the first step. The operands of sums and products are sorted, as their order means nothing.
    """
    return "; ".join(_written(step.expression) for step in derivation.steps)


def _written(expression: Expression) -> str:
    match expression:
        case Given():
            return "n"
        case Constant():
            return "c"
        case Result(index):
            return str(index + 1)
        case Operation(sign, left, right):
            operands = [
                f"({text})" if isinstance(part, Operation) else text
                for part, text in ((left, _written(left)), (right, _written(right)))
            ]
            return sign.join(sorted(operands) if sign in "+*" else operands)
