"""Finds the subject and the verb at the beginning of a piece of a sentence.

`she sold` gives the auxiliary `did`, the subject `she` and the verb `sell`, the parts of a question in order.
`she will need to buy` gives `will`, `she` and `need to buy`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fdd.agents.symbolic.wording.verbs import VERBS, past, third_person


class Predicate(NamedTuple):
    """The parts of a clause in the order of a question: `will`, `she`, `need to buy`."""

    auxiliary: str
    subject: str
    verb: str
    """The verb without the auxiliary; empty where there is no other verb, as in `he is`."""
    rest: tuple[str, ...]
    """The remaining words: objects, particles, a preposition."""

    @property
    def is_being(self) -> bool:
        return self.verb in {"", "be"}


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


_MODALS = word_set("will would can could should must may might")
_BE = word_set("is are was were")
_HAVE = word_set("has have had")
_ADVERBS = word_set(
    "also still then now only already therefore thus initially originally actually usually currently finally "
    "just simply really hence later first typically instead thereby consequently always altogether"
)
_PLURAL_PRONOUNS = word_set("they we you i")
_PRONOUNS = _PLURAL_PRONOUNS | word_set("he she it this that these those both each everyone everybody there")
_PLURALS = word_set("people children men women feet these those both all most others sheep police")
_OPENERS = word_set(
    "the a an his her its their my our your each every all both one two three four five six seven eight nine "
    "ten this that these those another half most some no other"
)
_CONNECTIVES = word_set("if because since so that which who when while than then means meaning equals")
_NEVER_INSIDE = _BE | _HAVE | _MODALS | _CONNECTIVES | word_set("do does did he she it they")
_PREPOSITIONS = word_set(
    "in on at for from with after before during over by of per out until within as about"
)
_NEVER_FIRST = _NEVER_INSIDE | _PREPOSITIONS | _ADVERBS | word_set("and or but not")
_PARTICLES = word_set("up down out off away back in on")
_PARTICIPLES = word_set(
    "been done eaten given taken written driven gone seen grown drawn thrown worn chosen broken flown known"
)
_NOUN_PHRASE_WORD = re.compile(r"[A-Za-z][A-Za-z'’.-]*(?<!['’]ve)(?<!['’]d)(?<!n['’]t)|\d[\w,-]*|&")
_MOST_WORDS = 9
"""Maximum number of words in a subject."""
_ALL_VERBS = sorted(VERBS | {"knock", "pop", "seat"})
_IRREGULAR = {"slew": "slay", "bore": "bear", "tore": "tear", "lit": "light", "dove": "dive"}
_BASES = {form: verb for verb in _ALL_VERBS for form in (past(verb), third_person(verb), verb)} | _IRREGULAR
THIRD_PERSONS = frozenset(map(third_person, _ALL_VERBS))
"""The known verbs in the third person singular: `sells`, `buys`, ..."""


def read_predicate(text: str) -> Predicate | None:
    """Read the shortest subject that is followed by a verb which agrees with it; None if there is none."""
    words = text.split()
    for count in range(1, min(len(words), _MOST_WORDS + 1)):
        if _is_subject(words[:count]):
            read = _read_verb(words[:count], [word for word in words[count:] if word.lower() not in _ADVERBS])
            if read is not None:
                return read
    return None


def _is_subject(words: Sequence[str]) -> bool:
    first, lowered = words[0], [word.lower() for word in words]
    if not all(_NOUN_PHRASE_WORD.fullmatch(word.rstrip(",")) for word in words):
        return False
    if "," in " ".join(words) and ("and" not in lowered or words[-1].endswith(",") or first.endswith("ing")):
        return False
    if lowered[-1] in {"and", "of", "to", "&"} or not _NEVER_INSIDE.isdisjoint(lowered[1:]):
        return False
    if lowered[0] in _PRONOUNS:
        return len(words) == 1 or lowered[0] in _OPENERS
    if re.fullmatch("[a-z]{2,}ing", first):
        return True
    if lowered[0] in _OPENERS or first[0].isdigit():
        return len(words) > 1 or lowered[0] == "all"
    return lowered[0] not in _NEVER_FIRST and (first[0].isupper() or _is_plural(words))


def _is_plural(subject: Sequence[str]) -> bool:
    """Whether a subject takes `do` rather than `does`."""
    words = [word.lower() for word in subject]
    if len(words) > 1 and (words[0] in {"each", "every", "one", "a", "an", "1"} or words[0].endswith("ing")):
        return False
    if words[0] in {"all", "both"} or "and" in words or "&" in words:
        return True
    head = re.split(r" (?:of|in|on|at|for|from|with) ", " ".join(subject))[0].split()[-1]
    named = head[0].isupper() or head.lower() in _PRONOUNS
    return head.lower() in _PLURAL_PRONOUNS | _PLURALS or (
        head.endswith("s") and not head.endswith(("ss", "'s", "’s")) and not named
    )


def _read_verb(subject: Sequence[str], words: list[str]) -> Predicate | None:
    if not words:
        return None
    who, verb, rest = " ".join(subject), words[0].lower(), words[1:]
    if verb in _BE or (verb in _MODALS and rest):
        main = [] if verb in _BE else [rest.pop(0)]
        if rest and main in ([], ["be"], ["have"]) and _is_participle(rest[0]):
            main.append(rest.pop(0))
        return _with_infinitives(verb, who, main, rest)
    if verb in _HAVE and rest and _is_past(rest[0]):
        return _with_infinitives(verb, who, rest[:1], rest[1:])
    if rest[:1] == ["not"]:
        return None
    finite = _finite(verb, plural=_is_plural(subject), alone=_PARTICLES.issuperset(rest))
    return finite and _with_infinitives(finite[0], who, [finite[1]], rest)


def _with_infinitives(auxiliary: str, who: str, verb: list[str], rest: list[str]) -> Predicate:
    """Build the predicate; infinitives join the verb: `needs` and `to buy` give `need to buy`."""
    while len(rest) > 1 and rest[0] == "to" and re.fullmatch("[a-z]+", rest[1]):
        verb, rest = [*verb, *rest[:2]], rest[2:]
    return Predicate(auxiliary, who, " ".join(verb), tuple(rest))


def _is_participle(word: str) -> bool:
    return _is_past(word) or word in {"able", "supposed", "left"} or bool(re.fullmatch(r"[a-z]{2,}ing", word))


def _is_past(word: str) -> bool:
    known = word in _BASES and past(_BASES[word]) == word
    return known or word in _PARTICIPLES or bool(re.fullmatch(r"[a-z]{2,}ed", word))


def _finite(verb: str, *, plural: bool, alone: bool) -> tuple[str, str] | None:
    """Return `did` and `sell` for `sold`; None for what is no verb or disagrees with its subject.

    `plural` describes the subject. With `alone`, only particles follow, and an unknown verb may be guessed.
    """
    base = _BASES.get(verb)
    if base is None:
        return _guess(verb, plural=plural) if alone else None
    if verb == base and plural:
        return "do", base
    if verb == past(base) or verb in _IRREGULAR:
        return "did", base
    return ("does", base) if verb == third_person(base) and (not plural or verb == "has") else None


def _guess(verb: str, *, plural: bool) -> tuple[str, str] | None:
    """Guess the auxiliary and the base form of an unknown verb from its ending; None if it has none."""
    if re.fullmatch(r"[a-z]{2,}ed", verb):
        return "did", _base_of_past(verb[:-2])
    if re.fullmatch(r"[a-z]{2,}[^s]s", verb) and not plural:
        return "does", re.sub(r"ie$", "y", re.sub(r"(?<=[shxz])e$", "", verb[:-1]))
    return None


def _base_of_past(stem: str) -> str:
    """Return the base form for a past tense without `ed`: `slice` for `slic`, `hum` for `humm`."""
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    ends_in_e = re.search(r"(?:[aeiou][bcdgklmnprstvz]|[cgsvuz]|[^aeiou]l)$", stem)
    whole = re.search(r"(?:[aeiou]{2}[^cgsvz]|[eo][nr]|it|et|ss|ow|el|op)$", stem)
    return f"{stem}e" if ends_in_e and not whole else stem
