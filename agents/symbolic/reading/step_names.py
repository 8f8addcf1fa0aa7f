"""Names the steps of a derivation after the words around them, as Python identifiers."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator

from fdd.agents.symbolic.vocabulary import LISTS, word_set
from fdd.amounts import CURRENCY

MAX_LENGTH = 20  # maximum length of a name in characters

_RESERVED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | {"answer"}
_WEAK = frozenset(LISTS["weak"])
# Words after a value that need a further word: `5 more` of what?
_NEEDY = word_set("more less fewer left total remaining extra times altogether away")
_SUMS = word_set("total together altogether combined sum")
_VALUE = re.compile(rf"^(?:{CURRENCY}|[\s=])*-?[\d.,/]*\s?%?")
_SIGNS_BEFORE = re.compile(rf"(?:{CURRENCY}|[ :=,(-])+$")
_PHRASE_END = re.compile(
    r"[.,;:!?=\d(+*/]|\b(?:and|because|so|since|which|that|but|when|if|while|or|as|than)\b"
)
_JOINERS = word_set("of in for per with from after before to on")


class StepNamer:
    """Gives every step of one derivation a short identifier that is unique within it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def name(self, before: str, after: str) -> str:
        """Return a new name for a value, given the text before it and the text that begins with it."""
        before, after = (re.sub(CURRENCY, "$", text) for text in (before, after))
        head, tail = _clause_end(before), _noun_phrase(after)
        names = filter(None, map(_join, _options(_words(before), head, tail)))
        name = next((each for each in names if each not in self.taken and each not in _RESERVED), "")
        if not name:
            name = base = _join(tail) or _join(head[-2:]) or "value"
            number = 1
            while name in self.taken or name in _RESERVED:
                number += 1
                name = f"{base[: MAX_LENGTH - 3]}_{number}"
        self.taken.add(name)
        return name


def _options(sentence: list[str], head: list[str], tail: list[str]) -> Iterator[list[str]]:
    """Yield words for a name, the best first, from all before the value, those next to it, and after it."""
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
    """Join the words that fit in `MAX_LENGTH`; an empty string for a name of fewer than three characters."""
    kept: list[str] = []
    for word in words:
        if len("_".join([*kept, word])) > MAX_LENGTH:
            break
        kept.append(word)
    name = "_".join(_trim(kept))
    return name if len(name) > 2 else ""


def _words(text: str) -> list[str]:
    text = text.lower().replace("’", "'").replace("'s ", " ")
    return [word.replace("'", "") for word in re.findall(r"[a-z][a-z']*", text)]


def _clause_end(text: str) -> list[str]:
    """Return the words that lead up to a value: `total`, `cost` for `5 * 3. The total cost is `."""
    clause = re.split(r"[.;:!?,](?=\s)|[=\n\d+*/×÷]", _SIGNS_BEFORE.sub("", text))[-1]
    return _trim(_telling(clause))


def _noun_phrase(text: str) -> list[str]:
    """Return up to four words after a value: `clips`, `in`, `may` for `24 clips in May, and then 5 more`."""
    words = _telling(_PHRASE_END.split(_VALUE.sub("", text), maxsplit=1)[0])
    if words[:1] == ["per"] and len(words) > 1:
        return ["per", *_trim(words[1:4])]
    return _trim(words[:4])


def _telling(clause: str) -> list[str]:
    return [word for word in _words(clause) if word not in _WEAK or word in _JOINERS]


def _trim(words: list[str]) -> list[str]:
    while words and words[0] in _JOINERS:
        words = words[1:]
    while words and words[-1] in _JOINERS:
        words = words[:-1]
    return words
