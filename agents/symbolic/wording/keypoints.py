"""Splits a question into its core, the sentence that asks, and the facts that the solution uses.

`Nora works in a shop. She earns $12 an hour. If she works 5 hours, how much does she earn?` gives the core
`How much does Nora earn?` and the facts `Nora earns $12 an hour.` and `She works 5 hours.`
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fdd.agents.symbolic.derivation import Constant, Derivation, Given, leaves
from fdd.agents.symbolic.wording.names import gender, people


class KeyPoints(NamedTuple):
    """What to find out, and what is known."""

    core: str
    """The sentence that asks, without its conditions."""
    facts: tuple[str, ...]
    """The sentences and conditions that the derivation uses, in the order of the question; at least one."""


NOTHING_TOLD = "All that is known stands in the question."
"""The only fact of a question that consists of its core alone."""

NOTHING_ASKED = "What is the answer"
"""The core, without its question mark, of a question whose asking sentence has no words."""


class Span(NamedTuple):
    """A part of a question, as positions in its text."""

    start: int
    end: int


_STOP = re.compile(r"[.!?]['\"”’)]*\s+|\n+")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St)$")
_UNIT = re.compile(r"\b(?:oz|ft|lbs?|sq|vs|etc|approx|[ap]\.m|[A-Z]\.[A-Z])$")
_SHORTENED = 10
"""Number of characters before a full stop in which such an abbreviation is looked for."""
_HOW = r"how (?:many|much|long|old|far|fast|tall|heavy|high|big|large|deep|wide|often|soon)"
_WHAT = r"what(?:['’]s)?|calculate|find(?: out)?|determine|compute"
_PREPOSITION = r"(?:by|in|at|for|of|to|on|with|from|during|over) "
_ASKING = (
    re.compile(
        rf"(?:^|(?<=[,;:–] )|(?<= then )|(?<= so ))(?:(?:then|so|and) )?(?:{_PREPOSITION})?(?:{_HOW}"
        rf"|{_WHAT})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?:{_HOW}|what (?:is|are|was|were|will)|calculate)\b", re.IGNORECASE),
)
_ORDER = re.compile(r"(?:calculate|find|determine|compute)\b", re.IGNORECASE)
_JOINT = re.compile(r"^(?:then|so|and),? ", re.IGNORECASE)
_IF = r"(?:if|assuming|given|knowing|suppos(?:e|ing)|considering)(?: that)?,? "
_CONDITION = re.compile(rf"(?:and )?{_IF}|(?:since|because) ", re.IGNORECASE)
_INNER = re.compile(rf",? (?<!even )(?<!only )(?<!as ){_IF}(?=\S+ \S+ )")
_UNREAL = re.compile(r"\bwould\b|\bwere to\b|\b(?:he|she|it|I) were\b")
_CIRCUMSTANCE = re.compile(
    r"(?:after|at|before|by|during|for|from|in|of|on|out of|over|to|until|when|while|with|within|between"
    r"|among|according|based|using|per|as|once|now|then|today|together|altogether|overall|so)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 3
"""Minimum number of words of a condition that becomes a fact of its own."""
_LINK = re.compile(
    r"(?:But|And|So|Also|However|Additionally|Meanwhile|Moreover|Furthermore|On top of that),? (?=[a-zA-Z])"
)
_END = re.compile(r",?(?: (?:then|and|so))?[,;]?$")
_BACKWARD = re.compile(r"(?:He|She|They|It|His|Her|Their|Its|Th[eo]se|This|That|Then)\b")
_RELATION = re.compile(
    r"\bas (?:many|much|long|old|fast|far)(?: \w+){0,3} as\b|\bthe (?:same|sum of|rest|remaining)\b"
    r"|\b(?:equally|evenly|in kind)\b"
)
_SUBJECT = re.compile(
    r"\b((?:do|does|did|is|was|will|would|can|could|should|must|has|had|have) )(he|she)\b(?!['’])"
)
_CAPITALISED = re.compile(r"\b[A-Z][a-z]+\b")
_ORDINARY_WORDS = (
    "he she they it we you his her their its my your our the a an this that these those there here each "
    "every both all some one two three four five six seven eight nine ten half if when while after before "
    "since because as in on at by for from to of with without during over then next later also but and so "
    "however now today yesterday tomorrow first second third finally how what which who calculate find "
    "determine only not monday tuesday wednesday thursday friday saturday sunday january february march "
    "april may june july august september october november december christmas english"
)
_ORDINARY = frozenset(_ORDINARY_WORDS.split())
_OTHERS = re.compile(
    r"\b(?:brother|sister|father|mother|dad|mom|mum|son|daughter|uncle|aunt|husband|wife|grand\w+|friend"
    r"|boyfriend|girlfriend|neighbou?r|cousin|nephew|niece|boss|teacher|roommate|colleague|man|woman|boy|girl"
    r"|child|kid|customer|student|person)s?\b",
    re.IGNORECASE,
)


def read_keypoints(derivation: Derivation) -> KeyPoints:
    """Return the core question, with a name in place of `he` or `she` if that is safe, and the facts used."""
    question = derivation.question
    sentences = list(_sentences(question))
    asking = sentences.pop(_asking([question[span.start : span.end] for span in sentences]))
    core, conditions = _split(question, asking)
    used = _used(derivation)
    told = [span for span in sentences if _tells(span, question, used)] or sentences
    name = _protagonist(question)
    if told and not name and told[0] != sentences[0] and _BACKWARD.match(question, told[0].start):
        told.insert(0, sentences[sentences.index(told[0]) - 1])
    pieces = [question[span.start : span.end] for span in told]
    pieces += [_CONDITION.sub("", question[span.start : span.end], count=1) for span in conditions]
    facts = [fact for fact in map(_fact, pieces) if fact]
    if name:
        facts = [re.sub(r"^(?:He|She)\b(?!['’])", name, fact) for fact in facts[:1]] + facts[1:]
    return KeyPoints(with_name(core, question), tuple(facts or [NOTHING_TOLD]))


def with_name(asking: str, question: str) -> str:
    """Replace `he` or `she` in `asking` by the name that it stands for.

    `Does she need it?` becomes `Does Natalia need it?` if `question`, that of the problem, mentions no other
    person. Otherwise nothing changes.
    """
    name = _protagonist(question)
    return _SUBJECT.sub(rf"\g<1>{name}", asking, count=1) if name else asking


def _sentences(text: str) -> Iterator[Span]:
    start, begin = 0, len(text) - len(text.lstrip())
    for match in _STOP.finditer(text):
        if begin < match.start() and _ends(text, match):
            yield _trimmed(text, start, match.end())
            start = match.end()
    if text[start:].strip():
        yield _trimmed(text, start, len(text))


def _ends(text: str, stop: re.Match[str]) -> bool:
    """Whether a full stop, or another mark like it, ends a sentence; that of `Mr.` does not."""
    before = text[max(0, stop.start() - _SHORTENED) : stop.start()]
    after = text[stop.end() : stop.end() + 1]
    return not (_TITLE.search(before) or (after.islower() and _UNIT.search(before)))


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))


def _asking(sentences: Sequence[str]) -> int:
    """Return the index of the sentence that asks.

    It is the last one with a question mark; if there is none, the last one with words of asking such as
    `how many` or `find`; if there is none either, the last one.
    """
    marked = [place for place, text in enumerate(sentences) if text.endswith("?")]
    ordering = [place for place, text in enumerate(sentences) if _ASKING[0].search(text)]
    return (marked or ordering or [len(sentences) - 1])[-1]


def _split(text: str, sentence: Span) -> tuple[str, list[Span]]:
    """Return the core of the sentence that asks, and the conditions cut off at its start and end."""
    start, end = sentence
    conditions = []
    match = next((found for each in _ASKING if (found := each.search(text[start:end]))), None)
    if match and _is_fact(opening := text[start : start + match.start()]):
        conditions.append(_trimmed(text, start, start + len(opening)))
        start += match.start()
    inner = _INNER.search(text, start, end)
    if inner and _is_condition(condition := text[inner.start() : end].lstrip(" ,")):
        conditions.append(Span(text.index(condition, inner.start()), end))
        end = inner.start()
    core = _JOINT.sub("", " ".join(text[start:end].split())).rstrip(" ,.?") or NOTHING_ASKED
    return core[0].upper() + core[1:] + ("." if _ORDER.match(core) else "?"), conditions


def _is_fact(opening: str) -> bool:
    """Whether the text before the asking clause states a fact by itself."""
    if _CONDITION.match(opening):
        return _is_condition(opening)
    long = len(opening.split()) > _LEAST_WORDS
    return long and opening.rstrip().endswith(",") and not _CIRCUMSTANCE.match(opening)


def _is_condition(text: str) -> bool:
    bare = _CONDITION.sub("", text, count=1)
    return len(bare.split()) >= _LEAST_WORDS and not _UNREAL.search(bare)


def _tells(span: Span, question: str, used: Sequence[int]) -> bool:
    """Whether a span relates things to each other or contains a used number.

    `used` has the positions of the used numbers, in ascending order.
    """
    first = bisect_left(used, span.start)
    has_number = first < len(used) and used[first] < span.end
    return has_number or bool(_RELATION.search(question, span.start, span.end))


def _used(derivation: Derivation) -> list[int]:
    """Return the positions of the numbers that the steps use, such as that of `half` for a division by 2."""
    found = [leaf for step in derivation.steps for leaf in leaves(step.expression)]
    places = {leaf.index for leaf in found if isinstance(leaf, Given)}
    brought = {leaf.value for leaf in found if isinstance(leaf, Constant)} - {0, 1}
    return [
        quantity.start
        for index, quantity in enumerate(derivation.quantities)
        if index in places or quantity.value in brought or (quantity.value and 1 / quantity.value in brought)
    ]


def _fact(text: str) -> str:
    """Turn a sentence or a condition into a statement: without linking words, with a full stop.

    Returns an empty string where no text is left.
    """
    text = _LINK.sub("", " ".join(text.split()))
    text = _END.sub("", text).rstrip("?,;: ")
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in '.!"”)' else f"{text}."


def _protagonist(question: str) -> str | None:
    """Return the name that every `he` or `she` stands for; None where it may be somebody else."""
    names = people(question)
    capitalised = {word for word in _CAPITALISED.findall(question) if word.lower() not in _ORDINARY}
    if len(names) != 1 or capitalised - {names[0]} or _OTHERS.search(question):
        return None
    other = "he|him|his" if gender(names[0]) == "f" else "she|her|hers"
    return None if re.search(rf"\b(?:{other})\b", question, re.IGNORECASE) else names[0]
