"""Normal forms for comparing questions: word for word, apart from their numbers, or in part."""

from __future__ import annotations

import re
import unicodedata

_SMALL = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_SCALES = "hundreds?|thousands?|millions?|billions?|dozens?"
_PARTS = "half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?"
_ORDINALS = "first|second|once|twice|thrice|doubled?|tripled?|triples|doubles|quadrupled?|quadruples"

_WORD = rf"(?:zero|{_SMALL}|{_TEENS}|{_TENS}|{_SCALES}|{_PARTS}|{_ORDINALS})"
_DIGITS = r"(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:st|nd|rd|th)?\b|\d+(?:\.\d+)?"
_NUMBER = rf"(?:{_DIGITS}|\b{_WORD}\b)"
# One number may be several words: `two hundred and fifty`, `twenty-one`, `3/4`, `2 1/2`, `10:30`.
_RUN = re.compile(rf"{_NUMBER}(?:(?:[\s/:⁄-]|\sand\s|\sand\sa\s)\s*{_NUMBER})*")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-"})
# Soft hyphens, joiners, marks of direction and of byte order.
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_WORDS = re.compile(r"#|[^\W\d_]+(?:'[^\W\d_]+)?")


def exact_form(question: str) -> str:
    """Normalizes white space, letter case and typographic variants, and removes invisible characters.

    Two questions with the same exact form are copies of each other.
    """
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", question))
    return " ".join(seen.translate(_QUOTES).casefold().split())


def masked(question: str) -> str:
    """Returns the exact form with every number, in digits or in words, replaced by `#`.

    Two questions with the same masked form differ only in their numbers. Names are not masked.

    >>> masked("Tom has  twenty-one red balls and $1,200.50.")
    'tom has # red balls and $#.'
    """
    return _RUN.sub("#", exact_form(question))


def grams(form: str, n: int) -> frozenset[tuple[str, ...]]:
    """Returns all sequences of n consecutive words of a masked form, without punctuation.

    The set is empty if the form has fewer than n words.

    >>> sorted(grams("ann's dog ate # bones.", 3))
    [("ann's", 'dog', 'ate'), ('ate', '#', 'bones'), ('dog', 'ate', '#')]
    """
    words = _WORDS.findall(form)
    return frozenset(zip(*(words[start:] for start in range(n)), strict=False))
