"""Keeps what a student is tested on out of what it is taught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from domain import Problem
from matching import exact_form, masked

GSM_SYMBOLIC = "gsm-symbolic"
DEV = "dev"
IN_DOMAIN = "in-domain"
HELD_OUT = "held-out"


@dataclass(frozen=True, slots=True)
class Match:
    """The evaluation set that a question is copied from, and how."""

    how: Literal["exact", "masked"]
    """`masked` is a copy with other numbers."""
    name: str

    def __str__(self) -> str:
        return f"{self.how}:{self.name}"


class Decontaminator:
    """Finds questions that copy a problem of an evaluation set (`dev` or a test set, by name).

    A copy with other numbers counts too, but not against the dev and in-domain sets of `gsm-symbolic`:
    those are new numbers in the templates that are taught, on purpose.
    """

    def __init__(self, sets: Mapping[str, Iterable[Problem]]) -> None:
        self._exact: dict[str, str] = {}
        self._masked: dict[str, str] = {}
        for name, problems in sets.items():
            for problem in problems:
                self._exact.setdefault(exact_form(problem.question), name)
                if not (problem.source == GSM_SYMBOLIC and name in (DEV, IN_DOMAIN)):
                    self._masked.setdefault(masked(problem.question), name)

    def match(self, question: str) -> Match | None:
        if name := self._exact.get(exact_form(question)):
            return Match("exact", name)
        if name := self._masked.get(masked(question)):
            return Match("masked", name)
        return None
