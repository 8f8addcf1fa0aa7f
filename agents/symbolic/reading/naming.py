"""Names the steps of a derivation after the words around them, as Python identifiers.

`Natalia sold 48/2 = ` before the value and `24 clips in May.` from the value on give `clips_in_may`.
`5 * 3. The total cost is ` and `$15.` give `total_cost`.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator

from fdd.amounts import CURRENCY

MAX_LENGTH = 20
"""Maximum length of a name in characters."""

_RESERVED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | {"answer"}
# Words that say too little to be part of a name.
_WEAK = frozenset(
    """
    a an the is are was were be been being am has have had do does did will would can could should must
    he she it they them his her its their him i you we us my your our this that these those there here which
    who what when where how why and or but so then thus therefore hence if because since as than at by to on
    into also just only both each every all get gets got one ones still now first second third finally s x
    means mean meaning let find calculate altogether equals equal of in for per with from after before
    such same going go goes needs need add subtract minus plus multiply divide multiplying adding dividing
    number amount so saw using figure out up
    """.split()  # noqa: SIM905
)
_NEEDY = frozenset(
    ["more", "less", "fewer", "left", "total", "remaining", "extra", "times", "altogether", "away"]
)
"""Words after a value that need a further word: `5 more` of what?"""
_SUMS = frozenset(["total", "together", "altogether", "combined", "sum"])
_VALUE = re.compile(rf"^(?:{CURRENCY}|[\s=])*-?[\d.,/]*\s?%?")
_SIGNS_BEFORE = re.compile(rf"(?:{CURRENCY}|[ :=,(-])+$")
_PHRASE_END = re.compile(
    r"[.,;:!?=\d(+*/]|\b(?:and|because|so|since|which|that|but|when|if|while|or|as|than)\b"
)
_JOINERS = frozenset("of in for per with from after before to on".split())  # noqa: SIM905


class Namer:
    """Gives every step of one derivation a short identifier that is unique within it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def name(self, before: str, after: str) -> str:
        """Return a new name for a value, given the text before it and the text that begins with it.

        Currency signs are ignored.
        """
        before, after = (re.sub(CURRENCY, "$", text) for text in (before, after))
        head, tail = _clause_end(before), _noun_phrase(after)
        for words in _options(_words(before), head, tail):
            name = _join(words)
            if name and name not in self.taken and name not in _RESERVED:
                return self._take(name)
        return self._take(self._numbered(_join(tail) or _join(head[-2:]) or "value"))

    def _numbered(self, base: str) -> str:
        name, number = base, 1
        while name in self.taken or name in _RESERVED:
            number += 1
            name = f"{base[: MAX_LENGTH - 3]}_{number}"
        return name

    def _take(self, name: str) -> str:
        self.taken.add(name)
        return name


def _options(sentence: list[str], head: list[str], tail: list[str]) -> Iterator[list[str]]:
    """Yield lists of words to make a name of, the best first.

    `sentence` has all words before the value, `head` those that lead up to it, `tail` those after it.
    """
    subject = [word for word in sentence if word not in _WEAK][:1]
    telling = [word for word in [*subject, *reversed(head)] if word not in tail and word not in _WEAK]
    if tail and tail[0] == "per":
        yield from ([word, *tail] for word in telling[::-1])
    elif tail and tail[0] in _NEEDY:
        yield from ([word, *tail] for word in telling)
    elif tail:
        if _SUMS.intersection(sentence[:3] + sentence[-2:]):
            yield ["total", *tail]
        yield tail
        yield from ([word, *tail[:1]] for word in telling)
    yield head[-3:]
    yield head[-2:]
    yield from ([word] for word in telling)


def _join(words: list[str]) -> str:
    """Join as many of the words as fit in `MAX_LENGTH`, without a preposition at either end.

    Returns an empty string where the name would have fewer than three characters.
    """
    kept: list[str] = []
    for word in words:
        if len("_".join([*kept, word])) > MAX_LENGTH:
            break
        kept.append(word)
    while kept and kept[-1] in _JOINERS:
        kept.pop()
    while kept and kept[0] in _JOINERS:
        kept.pop(0)
    name = "_".join(kept)
    return name if len(name) > 2 else ""


def _words(text: str) -> list[str]:
    text = text.lower().replace("’", "'").replace("'s ", " ")
    return [word.replace("'", "") for word in re.findall(r"[a-z][a-z']*", text)]


def _clause_end(text: str) -> list[str]:
    """Return the words that lead up to a value: `total`, `cost` for `5 * 3. The total cost is `."""
    clause = re.split(r"[.;:!?,](?=\s)|[=\n\d+*/×÷]", _SIGNS_BEFORE.sub("", text))[-1]
    words = [word for word in _words(clause) if word not in _WEAK or word in _JOINERS]
    return _trim(words)


def _noun_phrase(text: str) -> list[str]:
    """Return up to four words after a value: `clips`, `in`, `may` for `24 clips in May, and then 5 more`."""
    clause = _PHRASE_END.split(_VALUE.sub("", text), maxsplit=1)[0]
    words = [word for word in _words(clause) if word not in _WEAK or word in _JOINERS]
    per = words[:1] == ["per"]
    return (["per", *_trim(words[1:4])] if per and len(words) > 1 else _trim(words[:4]))[:4]


def _trim(words: list[str]) -> list[str]:
    while words and words[0] in _JOINERS:
        words = words[1:]
    while words and words[-1] in _JOINERS:
        words = words[:-1]
    return words
