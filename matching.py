"""When two questions are the same one: word for word (`exact_form`), or up to their numbers (`masked`)."""

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


def exact_form(question: str) -> str:
    """The question with white space, letter case and typographic variants evened out.

    Two questions with the same exact form are copies of each other.
    """
    folded = unicodedata.normalize("NFKC", question).translate(_QUOTES).casefold()
    return " ".join(folded.split())


def masked(question: str) -> str:
    """The exact form with every number, in digits or in words, replaced by `#`.

    Two questions with the same masked form differ in their numbers only; names are left as they are.

    >>> masked("Tom has  twenty-one red balls and $1,200.50.")
    'tom has # red balls and $#.'
    """
    return _RUN.sub("#", exact_form(question))
