"""Keeps what a student is tested on out of what it is taught."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from domain import Problem, shares_templates
from matching import exact_form, grams, masked

GSM_SYMBOLIC = "gsm-symbolic"
DEV = "dev"
IN_DOMAIN = "in-domain"
HELD_OUT = "held-out"

Run = tuple[str, ...]
"""Words that follow each other."""
WORDS = 2
"""Length of the runs of words that are compared; chosen with `SHARE` by benchmarks/contamination.py."""
SHARE = 0.5
"""An evaluation problem is copied by a question that holds this share of its runs."""
LEAST_RUNS = 8
"""Of an evaluation problem with fewer runs, such as `What is 1 + 2?`, only the form is compared."""


@dataclass(frozen=True, slots=True)
class Match:
    """The evaluation problem that a question is copied from, and how."""

    kind: Literal["exact", "masked", "overlap"]
    """`masked` is a copy with other numbers, `overlap` one with other names or another wording."""
    name: str
    """The evaluation set."""
    problem: Problem
    overlap: float = 1.0
    """Share of the problem that the question repeats."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Leak:
    """A question that was kept out of the training set, and what it is copied from."""

    question: str
    match: Match


class Decontaminator:
    """Finds questions that copy a problem of an evaluation set (`dev` or a test set, by name).

    Of sets that share their templates with what is taught only exact copies count, for they are new numbers
    in those templates on purpose.
    """

    def __init__(
        self, sets: Mapping[str, Iterable[Problem]], *, words: int = WORDS, share: float = SHARE
    ) -> None:
        self._words, self._share = words, share
        self._exact: dict[str, Match] = {}
        self._masked: dict[str, Match] = {}
        self._wholes: list[tuple[str, Problem, frozenset[Run]]] = []
        for name, problems in sets.items():
            for problem in problems:
                self._exact.setdefault(exact_form(problem.question), Match("exact", name, problem))
                if shares_templates(problem.template, name):
                    continue
                form = masked(problem.question)
                self._masked.setdefault(form, Match("masked", name, problem))
                if len(runs := grams(form, words)) >= LEAST_RUNS:
                    self._wholes.append((name, problem, runs))
        self._holders = _index([runs for _, _, runs in self._wholes], share)

    def match(self, question: str) -> Match | None:
        """The evaluation problem that the question is most surely a copy of; None where it is none."""
        form = masked(question)
        return self._exact.get(exact_form(question)) or self._masked.get(form) or self._overlapping(form)

    def _overlapping(self, form: str) -> Match | None:
        """The problem of which a question of this masked form repeats most, the first of equals."""
        found, highest = None, self._share
        runs = grams(form, self._words)
        for place in sorted({place for run in runs for place in self._holders.get(run, ())}):
            name, problem, whole = self._wholes[place]
            overlap = len(runs & whole) / len(whole)
            if overlap > highest or (found is None and overlap == highest):
                found, highest = Match("overlap", name, problem, overlap), overlap
        return found


def _index(wholes: Sequence[frozenset[Run]], share: float) -> dict[Run, list[int]]:
    """Places by run: each under so many of its rarest runs that whatever repeats the share has one of them.

    Common runs, which nearly every question has, are so left out, and that makes the search fast.
    """
    known = Counter(run for runs in wholes for run in runs)
    holders: defaultdict[Run, list[int]] = defaultdict(list)
    for place, runs in enumerate(wholes):
        missing = max(n for n in range(len(runs)) if (len(runs) - n) / len(runs) >= share)
        for run in sorted(runs, key=lambda run: (known[run], run))[: missing + 1]:
            holders[run].append(place)
    return holders
