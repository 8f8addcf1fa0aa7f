"""A question taken apart into its core, the one sentence that asks, and the facts that its solution uses."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agents.symbolic.derivation import Constant, Derivation, Given, leaves
from agents.symbolic.names import gender, people


class KeyPoints(NamedTuple):
    """What to find out, and what is known."""

    core: str
    """The sentence that asks, without the conditions that stand in it."""
    facts: tuple[str, ...]
    """The sentences and conditions that the derivation uses, in order; at least one."""


NOTHING_TOLD = "All that is known stands in the question."
"""The fact about a question that is nothing but the asking."""

NOTHING_ASKED = "What is the answer"
"""The core of a question whose last sentence has no words."""


class Span(NamedTuple):
    """A piece of a question."""

    start: int
    end: int


_STOP = re.compile(r"[.!?]['\"”’)]*\s+|\n+")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St)$")
_UNIT = re.compile(r"\b(?:oz|ft|lbs?|sq|vs|etc|approx|[ap]\.m|[A-Z]\.[A-Z])$")
_SHORTENED = 10
"""Characters in which these are to be seen."""
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
"""Of a condition that is a fact of its own."""
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
    """The core question with the name of whom it is about, and the facts that the steps use."""
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
    """`Does Natalia need it?` for `Does she need it?` where the problem's question tells of nobody else."""
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
    """Whether the stop between two pieces of text ends a sentence."""
    before = text[max(0, stop.start() - _SHORTENED) : stop.start()]
    after = text[stop.end() : stop.end() + 1]
    return not (_TITLE.search(before) or (after.islower() and _UNIT.search(before)))


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))


def _asking(sentences: Sequence[str]) -> int:
    """Which sentence asks: the last with a question mark, or that gives an order, or the last of all."""
    marked = [place for place, text in enumerate(sentences) if text.endswith("?")]
    ordering = [place for place, text in enumerate(sentences) if _ASKING[0].search(text)]
    return (marked or ordering or [len(sentences) - 1])[-1]


def _split(text: str, sentence: Span) -> tuple[str, list[Span]]:
    """The core of the sentence that asks, and the conditions cut off at its front and its end."""
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
    """Whether what stands before the asking says something by itself."""
    if _CONDITION.match(opening):
        return _is_condition(opening)
    long = len(opening.split()) > _LEAST_WORDS
    return long and opening.rstrip().endswith(",") and not _CIRCUMSTANCE.match(opening)


def _is_condition(text: str) -> bool:
    bare = _CONDITION.sub("", text, count=1)
    return len(bare.split()) >= _LEAST_WORDS and not _UNREAL.search(bare)


def _tells(span: Span, question: str, used: Sequence[int]) -> bool:
    """Whether it relates things, or has one of the used numbers, which stand at these places, in order."""
    first = bisect_left(used, span.start)
    has_number = first < len(used) and used[first] < span.end
    return has_number or bool(_RELATION.search(question, span.start, span.end))


def _used(derivation: Derivation) -> list[int]:
    """Where the numbers stand that the steps use, be it `half` for the 2 of a division."""
    found = [leaf for step in derivation.steps for leaf in leaves(step.expression)]
    places = {leaf.index for leaf in found if isinstance(leaf, Given)}
    brought = {leaf.value for leaf in found if isinstance(leaf, Constant)} - {0, 1}
    return [
        quantity.start
        for index, quantity in enumerate(derivation.quantities)
        if index in places or quantity.value in brought or (quantity.value and 1 / quantity.value in brought)
    ]


def _fact(text: str) -> str:
    """A sentence or a condition as a statement: without what links it to others, with a full stop.

    Empty where nothing is left of it.
    """
    text = _LINK.sub("", " ".join(text.split()))
    text = _END.sub("", text).rstrip("?,;: ")
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in '.!"”)' else f"{text}."


def _protagonist(question: str) -> str | None:
    """The name that every `he` or `she` must stand for; None where it may be somebody else."""
    names = people(question)
    capitalised = {word for word in _CAPITALISED.findall(question) if word.lower() not in _ORDINARY}
    if len(names) != 1 or capitalised - {names[0]} or _OTHERS.search(question):
        return None
    other = "he|him|his" if gender(names[0]) == "f" else "she|her|hers"
    return None if re.search(rf"\b(?:{other})\b", question, re.IGNORECASE) else names[0]
