"""Compares two texts word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LONGEST = 1500
"""Most words (blanks and marks count too) of a text that is compared: the time grows with their square."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether the other text has it as well."""

    text: str
    same: bool


def compare(before: str, after: str) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Splits both texts into pieces. If one is longer than `LONGEST`, they count as entirely different."""
    if before == after:
        return [Piece(before, True)], [Piece(after, True)]
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > LONGEST:
        return [Piece(before, False)], [Piece(after, False)]
    left, right = list[Piece](), list[Piece]()
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if j > i:
            left.append(Piece("".join(old[i:j]), tag == "equal"))
        if m > k:
            right.append(Piece("".join(new[k:m]), tag == "equal"))
    return left, right
