"""Gives the people of a problem other names of the same gender, the same in question and solution."""

from __future__ import annotations

import random
import re

from fdd.agents.symbolic.vocabulary import LISTS

_GENDER = dict.fromkeys(LISTS["women"], "f") | dict.fromkeys(LISTS["men"], "m")
_WORD = re.compile(r"[A-Z][a-z]+\b")


def rename(question: str, solution: str, rng: random.Random, avoid: str = "") -> tuple[str, str]:
    """Replace the first names of the lists in both texts; return the new question and solution.

    No new name occurs in `avoid`. Nothing changes where the question is about letters or the alphabet, since
    the letters of a name may matter there.
    """
    names = people(question)
    if not names or re.search(r"\bletters?\b|\binitial|alphabet", question):
        return question, solution
    taken = {word for text in (question, solution, avoid) for word in _WORD.findall(text)}
    new = {}
    for name in names:
        new[name] = rng.choice([other for other in _free(taken) if _GENDER[other] == _GENDER[name]])
        taken.add(new[name])
    pattern = re.compile(r"\b(?:" + "|".join(sorted(new, key=len, reverse=True)) + r")\b")
    return (
        pattern.sub(lambda match: new[match[0]], question),
        pattern.sub(lambda match: new[match[0]], solution),
    )


def people(question: str) -> list[str]:
    """Return the first names of the lists that name a person in the question, in order of appearance."""
    found = dict.fromkeys(word for word in _WORD.findall(question) if word in _GENDER)
    return [name for name in found if not _is_part_of_a_longer_name(question, name)]


def gender(name: str) -> str | None:
    """Return `f`, `m`, or None for a name that is not in the lists."""
    return _GENDER.get(name)


def other_name(question: str, rng: random.Random) -> str:
    """Return a random first name that is not in the question and looks unlike those that are."""
    return rng.choice(_free(set(_WORD.findall(question))))


def _free(taken: set[str]) -> list[str]:
    """Return the names that nobody confuses with one in `taken`, as Daniel and Daniela, Nina and Tina."""
    known = taken & _GENDER.keys()
    starts, ends = {name[:4] for name in known}, {name[-3:] for name in known}
    return [name for name in _GENDER if name[:4] not in starts and name[-3:] not in ends]


def _is_part_of_a_longer_name(question: str, name: str) -> bool:
    before = r"(?:[a-z,] [A-Z][a-z]+ |\b(?:St|Mr|Mrs|Ms|Dr)\. |[A-Za-z]-)"
    after = r"(?: [A-Z]|-[A-Za-z]|\.[a-z])"
    return re.search(rf"{before}{name}\b|\b{name}{after}", question) is not None
