"""Splits a question into its core, the sentence that asks, and the facts that the solution uses."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from fdd.agents.symbolic.derivation import Derivation, Given
from fdd.agents.symbolic.vocabulary import LISTS
from fdd.agents.symbolic.wording.first_names import gender, people


class KeyPoints(NamedTuple):
    """What to find out, and what is known."""

    core: str  # the sentence that asks, without its conditions
    facts: tuple[str, ...]
    """The sentences and conditions that the derivation uses, in the order of the question; at least one."""


NOTHING_TOLD = "All that is known stands in the question."
"""The only fact of a question that consists of its core alone."""
NOTHING_ASKED = "What is the answer"
"""The core, without its question mark, of a question whose asking sentence has no words."""


_STOP = re.compile(r"[.!?]['\"”’)]*\s+|\n+")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St)$")
_UNIT = re.compile(r"\b(?:oz|ft|lbs?|sq|vs|etc|approx|[ap]\.m|[A-Z]\.[A-Z])$")
_HOW = r"how (?:many|much|long|old|far|fast|tall|heavy|high|big|large|deep|wide|often|soon)"
_WHAT = r"what(?:['’]s)?|calculate|find(?: out)?|determine|compute"
_PREPOSITION = r"(?:by|in|at|for|of|to|on|with|from|during|over) "
# Where an asking clause begins: at best after a comma or the like, otherwise anywhere.
_ASKING = (
    re.compile(
        rf"(?i)(?:^|(?<=[,;:–] )|(?<= then )|(?<= so ))(?:(?:then|so|and) )?(?:{_PREPOSITION})?(?:{_HOW}"
        rf"|{_WHAT})\b"
    ),
    re.compile(rf"(?i)\b(?:{_HOW}|what (?:is|are|was|were|will)|calculate)\b"),
)
_COMMAND = re.compile(r"(?i)(?:calculate|find|determine|compute)\b")
_JOINT = re.compile(r"(?i)^(?:then|so|and),? ")
_IF = r"(?:if|assuming|given|knowing|suppos(?:e|ing)|considering)(?: that)?,? "
_CONDITION = re.compile(rf"(?i)(?:and )?{_IF}|(?:since|because) ")
_INNER = re.compile(rf",? (?<!even )(?<!only )(?<!as ){_IF}(?=\S+ \S+ )")
_UNREAL = re.compile(r"\bwould\b|\bwere to\b|\b(?:he|she|it|I) were\b")
# An opening with such a word says when or how, and is no fact by itself: `After the party, how many ...`.
_CIRCUMSTANCE = re.compile(
    r"(?i)(?:after|at|before|by|during|for|from|in|of|on|out of|over|to|until|when|while|with|within|between"
    r"|among|according|based|using|per|as|once|now|then|today|together|altogether|overall|so)\b"
)
_LEAST_WORDS = 3  # minimum number of words of a condition that becomes a fact of its own
_LINK = re.compile(
    r"(?:But|And|So(?! far)|Also|However|Additionally|Meanwhile|Moreover|Furthermore|On top of that),? "
    r"(?=[a-zA-Z])"
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
_ORDINARY = frozenset(LISTS["ordinary"])
_OTHERS = re.compile(
    r"(?i)\b(?:brother|sister|father|mother|dad|mom|mum|son|daughter|uncle|aunt|husband|wife|grand\w+|friend"
    r"|boyfriend|girlfriend|neighbou?r|cousin|nephew|niece|boss|teacher|roommate|colleague|man|woman|boy|girl"
    r"|child|kid|customer|student|person)s?\b"
)


def read_keypoints(derivation: Derivation) -> KeyPoints:
    """Return the core question, with a name in place of `he` or `she` if that is safe, and the facts used."""
    question = derivation.question
    sentences = list(_sentences(question))
    # The last sentence with a question mark asks, or else the last with `how many`, `find`, ..., or the last.
    marked = [span for span in sentences if question[span].endswith("?")]
    ordering = [span for span in sentences if _ASKING[0].search(question[span])]
    asking = (marked or ordering or sentences)[-1]
    sentences.remove(asking)
    core, conditions = _split(question, asking)
    used = _used(derivation)
    told = [
        span
        for span in sentences
        # A sentence matters if it has a used number or relates things to each other.
        if bisect_left(used, span.start) < bisect_left(used, span.stop)
        or _RELATION.search(question, span.start, span.stop)
    ] or sentences
    name = _protagonist(question)
    if told and not name and told[0] != sentences[0] and _BACKWARD.match(question, told[0].start):
        told.insert(0, sentences[sentences.index(told[0]) - 1])
    pieces = [question[span] for span in told]
    pieces += [_CONDITION.sub("", question[span], count=1) for span in conditions]
    facts = [fact for fact in map(_fact, pieces) if fact]
    if name:
        facts = [re.sub(r"^(?:He|She)\b(?!['’])", name, fact) for fact in facts[:1]] + facts[1:]
    return KeyPoints(with_name(core, question), tuple(facts or [NOTHING_TOLD]))


def with_name(asking: str, question: str) -> str:
    """Replace `he` or `she` in `asking` by the only person of the problem's question, if there is one."""
    name = _protagonist(question)
    return _SUBJECT.sub(rf"\g<1>{name}", asking, count=1) if name else asking


def _sentences(text: str) -> Iterator[slice]:
    start, begin = 0, len(text) - len(text.lstrip())
    for match in _STOP.finditer(text):
        # The full stop of `Mr.` or `oz.` ends no sentence. Ten characters hold every such abbreviation.
        before, after = text[max(0, match.start() - 10) : match.start()], text[match.end() : match.end() + 1]
        is_short = _TITLE.search(before) or (after.islower() and _UNIT.search(before))
        if begin < match.start() and not is_short:
            yield _trimmed(text, start, match.end())
            start = match.end()
    if text[start:].strip():
        yield _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> slice:
    piece = text[start:end]
    return slice(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))


def _split(text: str, sentence: slice) -> tuple[str, list[slice]]:
    """Return the core of the sentence that asks, and the conditions cut off at its start and end."""
    start, end = sentence.start, sentence.stop
    conditions = []
    match = next((found for each in _ASKING if (found := each.search(text[start:end]))), None)
    if match and _is_fact(opening := text[start : start + match.start()]):
        conditions.append(_trimmed(text, start, start + len(opening)))
        start += match.start()
    inner = _INNER.search(text, start, end)
    if inner and _is_condition(condition := text[inner.start() : end].lstrip(" ,")):
        conditions.append(slice(text.index(condition, inner.start()), end))
        end = inner.start()
    core = _JOINT.sub("", " ".join(text[start:end].split())).rstrip(" ,.?") or NOTHING_ASKED
    return core[0].upper() + core[1:] + ("." if _COMMAND.match(core) else "?"), conditions


def _is_fact(opening: str) -> bool:
    """Whether the text before the asking clause states a fact by itself."""
    if _CONDITION.match(opening):
        return _is_condition(opening)
    long = len(opening.split()) > _LEAST_WORDS
    return long and opening.rstrip().endswith(",") and not _CIRCUMSTANCE.match(opening)


def _is_condition(text: str) -> bool:
    bare = _CONDITION.sub("", text, count=1)
    return len(bare.split()) >= _LEAST_WORDS and not _UNREAL.search(bare)


def _used(derivation: Derivation) -> list[int]:
    """Return the positions of the numbers that the steps use, such as that of `half` for a division by 2."""
    places = {leaf.index for leaf in derivation.leaves() if isinstance(leaf, Given)}
    brought = derivation.constants() - {0, 1}
    return [
        quantity.start
        for index, quantity in enumerate(derivation.quantities)
        if index in places or quantity.value in brought or (quantity.value and 1 / quantity.value in brought)
    ]


def _fact(text: str) -> str:
    """Turn a sentence or a condition into a statement with a full stop; empty where no text is left."""
    text = _END.sub("", _LINK.sub("", " ".join(text.split()))).rstrip("?,;: ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", '"', "”", ")")) or not text else f"{text}."


def _protagonist(question: str) -> str | None:
    """Return the name that every `he` or `she` stands for; None where it may be somebody else."""
    names = people(question)
    capitalised = {word for word in re.findall(r"\b[A-Z][a-z]+\b", question) if word.lower() not in _ORDINARY}
    if len(names) != 1 or capitalised - {names[0]} or _OTHERS.search(question):
        return None
    other = "he|him|his" if gender(names[0]) == "f" else "she|her|hers"
    return None if re.search(rf"\b(?:{other})\b", question, re.IGNORECASE) else names[0]
