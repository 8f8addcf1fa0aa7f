"""Reads the hostile texts of the TOML files in this folder, and the verdicts that are right for them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fdd.domain import Reason, Verdict

FILES = {"pot": "programs.toml", "eot": "equations.toml", "cot": "sentences.toml"}
"""The file of each thought (reasoning format)."""


class Entry(BaseModel):
    """A case in the file that has more than its text."""

    model_config = ConfigDict(extra="forbid")

    text: str
    answer: str | None = None
    value: str | None = None
    repeat: dict[str, tuple[str, int]] = {}
    """By placeholder in the text, what replaces it and how many times that is repeated."""
    slow: bool = False
    """Takes a second or more, while a faster case tries the same thing."""


class Group(BaseModel):
    """Cases for which the same verdicts are right."""

    model_config = ConfigDict(extra="forbid")

    about: str
    verdict: list[Reason]
    answer: str = "42"
    value: str | None = None
    cases: dict[str, str | Entry]


class Corpus(BaseModel):
    """The content of one file."""

    model_config = ConfigDict(extra="forbid")

    group: list[Group]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One text to judge."""

    thought: str
    name: str
    text: str
    answer: Fraction
    """Reference answer."""
    verdicts: frozenset[Reason]
    """The verdicts that are right."""
    value: Fraction | None
    """The only value that a verdict may have, if it has one; None if any value is right."""
    slow: bool = False

    def fault(self, verdict: Verdict) -> str | None:
        """Returns what is wrong with this verdict; None if it is right."""
        if verdict.reason not in self.verdicts:
            return f"{verdict.reason} ({verdict.detail}) instead of {' or '.join(sorted(self.verdicts))}"
        if self.value is not None and verdict.value not in (None, self.value):
            return f"comes to {verdict.value} instead of {self.value}"
        return None


def load_cases(thought: str, places: Mapping[str, str]) -> list[Case]:
    """Returns the cases of a thought in the order of its file; replaces each `{{NAME}}` from `places`."""
    text = (Path(__file__).parent / FILES[thought]).read_text()
    for name, place in places.items():
        text = text.replace(f"{{{{{name}}}}}", place)
    corpus = Corpus.model_validate(tomllib.loads(text))
    return [case for group in corpus.group for case in _cases(thought, group)]


def _cases(thought: str, group: Group) -> Iterator[Case]:
    for name, given in group.cases.items():
        entry = Entry(text=given) if isinstance(given, str) else given
        value = entry.value or group.value
        yield Case(
            thought=thought,
            name=name,
            text=_filled(entry),
            answer=Fraction(entry.answer or group.answer),
            verdicts=frozenset(group.verdict),
            value=None if value is None else Fraction(value),
            slow=entry.slow,
        )


def _filled(entry: Entry) -> str:
    text = entry.text
    for placeholder, (part, times) in entry.repeat.items():
        text = text.replace(placeholder, part * times)
    return text
