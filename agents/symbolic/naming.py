"""Naming the steps of a derivation after the words around them."""

from __future__ import annotations

import builtins
import keyword
import re

MAX_LENGTH = 20

_RESERVED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | {"answer"}
_WEAK = frozenset(
    """
    a an the is are was were be been being am has have had do does did will would can could should must may
    he she it they them his her its their him i you we us my your our this that these those there here which
    who what when where how why and or but so then thus therefore hence if because since as than at by to on
    into also just only both each every all get gets got one ones still now first second third finally s x
    means mean meaning let find calculate altogether equals equal of in for per with from after before not
    no such same going go goes needs need
    """.split()  # noqa: SIM905
)
_JOINERS = frozenset("of in for per with from after before to on".split())  # noqa: SIM905


class Namer:
    """Gives every step of one derivation its own short identifier."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def name(self, before: str, after: str) -> str:
        """A name for the value between two pieces of text, `before` and `after` it."""
        tail = _phrase(after)
        head = _content(before)
        for candidate in _candidates(head, tail):
            if candidate not in self.taken and candidate not in _RESERVED:
                return self._take(candidate)
        return self._take(self._numbered(_join(tail) or _join(head[-2:]) or "value"))

    def _numbered(self, base: str) -> str:
        number = 2
        while True:
            suffix = f"_{number}"
            candidate = base[: MAX_LENGTH - len(suffix)].rstrip("_") + suffix
            if candidate not in self.taken:
                return candidate
            number += 1

    def _take(self, name: str) -> str:
        self.taken.add(name)
        return name


def _candidates(head: list[str], tail: list[str]) -> list[str]:
    options: list[list[str]] = []
    if tail and tail[0] == "per" and head:
        options.append(head[-1:] + tail)
    elif tail:
        options.append(tail)
        options += [[word, *tail] for word in reversed(head)]
    options += [head[-2:], head[-3:], head[-1:]]
    names = (_join(option) for option in options)
    return [name for name in names if len(name) > 2]


def _join(words: list[str]) -> str:
    """As many of the words as fit, without a preposition at the end."""
    kept: list[str] = []
    for word in words:
        if len("_".join([*kept, word])) > MAX_LENGTH:
            break
        kept.append(word)
    while kept and kept[-1] in _JOINERS:
        kept.pop()
    return "_".join(kept)


def _words(text: str) -> list[str]:
    return [
        word.replace("'s", "").replace("'", "")
        for word in re.findall(r"[a-z][a-z']*", text.lower().replace("’", "'"))
    ]


def _content(text: str) -> list[str]:
    clause = re.split(r"[.;:!?,=]\s|[=\n]", text.rstrip(" :=,$€£"))[-1]
    return [word for word in _words(clause) if word not in _WEAK and len(word) > 1]


def _phrase(text: str) -> list[str]:
    """The noun phrase at the start of a text: `clips in May` out of ` clips in May, and then 5 more`."""
    clause = re.split(
        r"[.,;:!?=\d(+*/]|\b(?:and|because|so|since|which|that|but|when|if)\b", text.lstrip(" $%"), maxsplit=1
    )[0]
    words = _words(clause)
    kept: list[str] = []
    for word in words:
        if word in _JOINERS or word not in _WEAK:
            kept.append(word)
        if len(kept) == 4:
            break
    while kept and kept[0] in _JOINERS - {"per"}:
        kept.pop(0)
    return kept
