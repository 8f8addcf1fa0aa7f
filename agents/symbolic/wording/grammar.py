"""Finds the subject and the verb of a clause, with the verb in base form or inflected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fdd.agents.symbolic.vocabulary import LISTS, word_set
from fdd.agents.symbolic.wording.words import VERBS, past, third_person

_LINKING_ADVERBS = frozenset(LISTS["adverbs_in_questions"])
_PRONOUN = re.compile(r"(?:he|she|it|they|you|we|I|everything|everyone|someone)\b")
_NAME = r"(?:(?:Mrs?|Ms|Dr|Miss)\.? )?[A-Z][A-Za-z-]+(?: [A-Z][A-Za-z-]+)?"
_NAMES = re.compile(rf"{_NAME}(?:(?:,? and|,| &) (?:(?:his|her) [a-z]+|{_NAME}))*\b(?!['’])")
_DETERMINED = re.compile(
    rf"(?i:the|his|her|their|its|your|my|our|each|every|both|all|an?|this|that|these|those|one)(?i: of)? "
    rf"|{_NAME}['’]s? "
)
_MAX_SUBJECT_WORDS = 6


class SplitClause(NamedTuple):
    """A split clause: `Natalia`, `sell`, `clips in May`; adverbs between subject and verb are kept apart."""

    subject: str
    adverbs: str
    verb: str
    tail: str


def split_clause(text: str) -> SplitClause | None:
    """Split a clause with a verb in base form (`she sell clips`); None where that is unclear."""
    subject = _subject(text)
    if subject is None:
        return None
    words = text[len(subject) :].split()
    verb = next((i for i, word in enumerate(words) if word.lower() not in _LINKING_ADVERBS), len(words))
    if verb == len(words) or not re.fullmatch(r"[a-z]+(?:-[a-z]+)?", words[verb]):
        return None
    return SplitClause(subject, " ".join(words[:verb]), words[verb], " ".join(words[verb + 1 :]))


def _subject(text: str) -> str | None:
    if match := _PRONOUN.match(text):
        return match[0]
    if (match := _NAMES.match(text)) and match[0].split()[0] not in {"The", "Each", "All"}:
        return match[0]
    words = text.split() if _DETERMINED.match(text) else []
    for count in range(2, min(len(words), _MAX_SUBJECT_WORDS + 1)):
        is_noun = words[count - 1].lower() in {"the", "of", "to", "his", "her"}
        is_noun = is_noun or (count + 1 < len(words) and words[count + 1] in VERBS)
        if words[count] in VERBS and not is_noun:
            return " ".join(words[:count])
    return None


class Predicate(NamedTuple):
    """The parts of a clause in the order of a question: `will`, `she`, `need to buy`."""

    auxiliary: str
    subject: str
    verb: str  # the verb without the auxiliary; empty where there is no other verb, as in `he is`
    rest: tuple[str, ...]  # the remaining words: objects, particles, a preposition

    @property
    def is_being(self) -> bool:
        return self.verb in {"", "be"}


_MODALS = word_set("will would can could should must may might")
_BE = word_set("is are was were")
_HAVE = word_set("has have had")
_ADVERBS = frozenset(LISTS["adverbs"])
_PLURAL_PRONOUNS = word_set("they we you i")
_PRONOUNS = _PLURAL_PRONOUNS | word_set("he she it this that these those both each everyone everybody there")
_PLURALS = word_set("people children men women feet these those both all most others sheep police")
_OPENERS = frozenset(LISTS["openers"])
_CONNECTIVES = word_set("if because since so that which who when while than then means meaning equals")
_NEVER_INSIDE = _BE | _HAVE | _MODALS | _CONNECTIVES | word_set("do does did he she it they")
_PREPOSITIONS = frozenset(LISTS["prepositions"])
_NEVER_FIRST = _NEVER_INSIDE | _PREPOSITIONS | _ADVERBS | word_set("and or but not")
_PARTICLES = word_set("up down out off away back in on")
_PARTICIPLES = frozenset(LISTS["participles"])
_PARTICIPLE = re.compile(r"able|supposed|left|[a-z]{2,}ing")
_NOUN_PHRASE_WORD = re.compile(r"[A-Za-z][A-Za-z'’.-]*(?<!['’]ve)(?<!['’]d)(?<!n['’]t)|\d[\w,-]*|&")
_MOST_WORDS = 9  # maximum number of words in a subject; more would run into the next clause
_ALL_VERBS = sorted(VERBS | {"knock", "pop", "seat"})
_RARE_PASTS = {"slew": "slay", "bore": "bear", "tore": "tear", "lit": "light", "dove": "dive"}
_BASES = {form: verb for verb in _ALL_VERBS for form in (past(verb), third_person(verb), verb)} | _RARE_PASTS
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
    verb, rest = words[0].lower(), words[1:]
    if verb in _BE or (verb in _MODALS and rest):
        auxiliary, main = verb, [] if verb in _BE else [rest.pop(0)]
        participle = rest and (_is_past_participle(rest[0]) or _PARTICIPLE.fullmatch(rest[0]))
        if participle and main in ([], ["be"], ["have"]):
            main.append(rest.pop(0))
    elif verb in _HAVE and rest and _is_past_participle(rest[0]):
        auxiliary, main = verb, [rest.pop(0)]
    elif rest[:1] == ["not"]:
        return None
    else:
        finite = _finite(verb, plural=_is_plural(subject), alone=_PARTICLES.issuperset(rest))
        if finite is None:
            return None
        auxiliary, main = finite[0], [finite[1]]
    # Infinitives join the verb: `needs` and `to buy` give `need to buy`.
    while len(rest) > 1 and rest[0] == "to" and re.fullmatch("[a-z]+", rest[1]):
        main, rest = [*main, *rest[:2]], rest[2:]
    return Predicate(auxiliary, " ".join(subject), " ".join(main), tuple(rest))


def _is_past_participle(word: str) -> bool:
    known = word in _BASES and past(_BASES[word]) == word
    return known or word in _PARTICIPLES or bool(re.fullmatch(r"[a-z]{2,}ed", word))


def _finite(verb: str, *, plural: bool, alone: bool) -> tuple[str, str] | None:
    """Return `did` and `sell` for `sold`; with `alone` (only particles follow) guess an unknown verb."""
    base = _BASES.get(verb)
    if base is None and alone and re.fullmatch(r"[a-z]{2,}ed", verb):
        return "did", _base_of_past(verb[:-2])
    if base is None and alone and re.fullmatch(r"[a-z]{2,}[^s]s", verb) and not plural:
        return "does", re.sub(r"ie$", "y", re.sub(r"(?<=[shxz])e$", "", verb[:-1]))
    if base is None:
        return None
    if verb == base and plural:
        return "do", base
    if verb == past(base) or verb in _RARE_PASTS:
        return "did", base
    return ("does", base) if verb == third_person(base) and (not plural or verb == "has") else None


def _base_of_past(stem: str) -> str:
    """Return the base form for a past tense without `ed`: `slice` for `slic`, `hum` for `humm`."""
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    ends_in_e = re.search(r"(?:[aeiou][bcdgklmnprstvz]|[cgsvuz]|[^aeiou]l)$", stem)
    whole = re.search(r"(?:[aeiou]{2}[^cgsvz]|[eo][nr]|it|et|ss|ow|el|op)$", stem)
    return f"{stem}e" if ends_in_e and not whole else stem
