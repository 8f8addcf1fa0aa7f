"""Keeps what a student is tested on out of what it is taught."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from domain import Problem, shares_templates
from matching import exact_form, grams, masked

GSM_SYMBOLIC = "gsm-symbolic"
DEV = "dev"
IN_DOMAIN = "in-domain"
HELD_OUT = "held-out"

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
        self._wholes: list[tuple[str, Problem, int]] = []
        """Set, problem and number of runs of words."""
        self._holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        """Places in `_wholes`, by run of words."""
        for name, problems in sets.items():
            for problem in problems:
                self._exact.setdefault(exact_form(problem.question), Match("exact", name, problem))
                if not shares_templates(problem.template, name):
                    self._masked.setdefault(masked(problem.question), Match("masked", name, problem))
                    self._add_runs(name, problem)

    def match(self, question: str) -> Match | None:
        exact, other = self._exact.get(exact_form(question)), self._masked.get(masked(question))
        return exact or other or self._overlapping(question)

    def _add_runs(self, name: str, problem: Problem) -> None:
        runs = grams(problem.question, self._words)
        if len(runs) < LEAST_RUNS:
            return
        for run in runs:
            self._holders[run].append(len(self._wholes))
        self._wholes.append((name, problem, len(runs)))

    def _overlapping(self, question: str) -> Match | None:
        """The problem of which the question repeats most, the first of equals."""
        runs = grams(question, self._words)
        shared = Counter(place for run in runs for place in self._holders.get(run, ()))
        shares = {place: count / self._wholes[place][2] for place, count in shared.items()}
        place = max(shares, key=lambda place: (shares[place], -place), default=None)
        if place is None or shares[place] < self._share:
            return None
        name, problem, _ = self._wholes[place]
        return Match("overlap", name, problem, shares[place])
