"""Finds copies of evaluation problems, so that they are kept out of the training set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fdd.domain import Problem, shares_templates
from fdd.matching import exact_form, grams, masked

GSM_SYMBOLIC = "gsm-symbolic"
DEV = "dev"
IN_DOMAIN = "in-domain"
HELD_OUT = "held-out"
HARDER = "harder"
"""Test set of in-domain problems that the symbolic synthesizer made harder."""

Run = tuple[str, ...]
"""Consecutive words of a question (an n-gram)."""
WORDS = 2
"""Words in a run; chosen, together with `SHARE`, by benchmarks/contamination.py."""
SHARE = 0.5
"""A question that contains at least this share of an evaluation problem's runs is a copy of it."""
LEAST_RUNS = 8
"""Evaluation problems with fewer runs, such as `What is 1 + 2?`, have only exact and masked copies."""


@dataclass(frozen=True, slots=True)
class Match:
    """The evaluation problem that a question copies, and the kind of copy."""

    kind: Literal["exact", "masked", "overlap"]
    """`masked` is a copy with other numbers, `overlap` one with other names or another wording."""
    name: str
    """The evaluation set."""
    problem: Problem
    overlap: float = 1.0
    """Share of the problem's runs that the question contains."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Leak:
    """A question that was kept out of the training set, and the problem that it copies."""

    question: str
    match: Match


class Decontaminator:
    """Finds questions that copy a problem of an evaluation set (`dev` or a test set, by name).

    If a set shares its templates with what is taught, only exact copies of its problems count: the set
    consists of new numbers in those templates on purpose.
    """

    def __init__(
        self, sets: Mapping[str, Iterable[Problem]], *, words: int = WORDS, share: float = SHARE
    ) -> None:
        self._words, self._share = words, share
        self._exact: dict[str, Match] = {}
        self._masked: dict[str, Match] = {}
        self._evaluated: list[tuple[str, Problem, frozenset[Run]]] = []
        for name, problems in sets.items():
            for problem in problems:
                self._exact.setdefault(exact_form(problem.question), Match("exact", name, problem))
                if shares_templates(problem.template, name):
                    continue
                form = masked(problem.question)
                self._masked.setdefault(form, Match("masked", name, problem))
                if len(runs := grams(form, words)) >= LEAST_RUNS:
                    self._evaluated.append((name, problem, runs))
        self._places = _index([runs for _, _, runs in self._evaluated], share)

    def match(self, question: str) -> Match | None:
        """Returns the problem that the question copies: exact before masked before overlap; None if none."""
        form = masked(question)
        return self._exact.get(exact_form(question)) or self._masked.get(form) or self._overlapping(form)

    def _overlapping(self, form: str) -> Match | None:
        """Returns the problem with the largest share of its runs in this question; the first of equals."""
        found, highest = None, self._share
        runs = grams(form, self._words)
        for place in sorted({place for run in runs for place in self._places.get(run, ())}):
            name, problem, problem_runs = self._evaluated[place]
            overlap = len(runs & problem_runs) / len(problem_runs)
            if overlap > highest or (found is None and overlap == highest):
                found, highest = Match("overlap", name, problem, overlap), overlap
        return found


def _index(evaluated: Sequence[frozenset[Run]], share: float) -> dict[Run, list[int]]:
    """Maps runs to the places in `evaluated` of the problems that contain them.

    Each problem is listed only under its rarest runs, as many as ensure that every question with `share` of
    its runs has one of them. That leaves out common runs, which nearly every question has, and makes the
    search fast.
    """
    known = Counter(run for runs in evaluated for run in runs)
    places: defaultdict[Run, list[int]] = defaultdict(list)
    for place, runs in enumerate(evaluated):
        missing = max(n for n in range(len(runs)) if (len(runs) - n) / len(runs) >= share)
        for run in sorted(runs, key=lambda run: (known[run], run))[: missing + 1]:
            places[run].append(place)
    return places
