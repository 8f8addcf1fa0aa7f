"""Knows nouns and verbs: what a noun counts, and how a verb is inflected."""

from __future__ import annotations

import re
from enum import StrEnum

from fdd.agents.symbolic.vocabulary import LISTS, word_set


class Kind(StrEnum):
    """What sort of thing a number counts or measures; decides which further questions make sense."""

    THINGS = "things"  # countable things that can be touched
    PEOPLE = "people"
    MONEY = "money"
    MEASURE = "measure"  # an amount in a unit: hours, miles, pounds
    OTHER = "other"  # anything else that is counted or measured: points, votes, times; also cars and houses


_IRREGULAR = dict(pair.split(":") for pair in LISTS["irregular_verbs"])
VERBS = frozenset(_IRREGULAR) | frozenset(LISTS["regular_verbs"])  # the known verbs in base form
# Without forms that are also base forms (`cut`, `found`) or often mean something else (`left`).
_PAST = frozenset(_IRREGULAR.values()) - word_set("cost put set cut read hit let left found saw")


def kind_of(noun: str) -> Kind:
    """Classify a plural noun phrase by its head; one in no list is a thing if it ends in s."""
    head = re.split(r" (?:of|in|for|with|from|to) ", noun.lower())[0].split()[-1]
    forms = {head, head.removesuffix("s"), head.removesuffix("es")}
    if not forms.isdisjoint(LISTS["units"]):
        return Kind.MEASURE
    if not forms.isdisjoint(LISTS["people"]):
        return Kind.PEOPLE
    return Kind.OTHER if not forms.isdisjoint(LISTS["abstract"]) or not head.endswith("s") else Kind.THINGS


def past(verb: str) -> str:
    """Return the past tense: `sell` -> `sold`, `carry` -> `carried`, `plan` -> `planned`."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    doubled = re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb)
    return verb + (verb[-1] if doubled else "") + "ed"


def third_person(verb: str) -> str:
    """Return the third person: `sell` -> `sells`, `have` -> `has`, `carry` -> `carries`; `has` stays."""
    if verb in {"has", "have", "be"}:
        return "is" if verb == "be" else "has"
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def is_past(word: str) -> bool:
    """Whether a word may be a verb in the past tense."""
    return word in _PAST or (word.endswith("ed") and len(word) > 4)
