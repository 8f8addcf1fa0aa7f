"""Parses what a question asks for and names the wanted number with a noun phrase."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from fdd.agents.symbolic.vocabulary import word_set
from fdd.agents.symbolic.wording.grammar import SplitClause, split_clause
from fdd.agents.symbolic.wording.words import VERBS, Kind, is_past, kind_of, past, third_person


class Named(NamedTuple):
    """The number that a question asks for."""

    kind: Kind
    noun: str  # what is counted, in the plural: `red marbles`; empty for an amount
    relative: str
    """Says which ones are meant: `Natalia sold altogether in April and May`, `in the jar`; may be empty."""
    phrase: str  # the number as a noun phrase: `the number of clips Natalia sold altogether in April and May`
    verb: str = ""
    """Verb of the asking clause in base form, such as `sell`; empty for a form of `be` or if unknown."""

    @property
    def those(self) -> str:
        """The counted things as a noun phrase: `the clips Natalia sold altogether in April and May`."""
        return f"the {self.noun} {self.relative}".rstrip()

    @property
    def is_shared(self) -> bool:
        """Whether it is a number per item or an average, so that no single group has this number."""
        return re.search(r"\b(?:each|every|average)\b", f"{self.phrase} {self.noun}") is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed question. Its text is the story, then the opening, then the asking clause."""

    story: str  # every sentence before the last
    opening: str  # start of the last sentence, before the asking clause: `If he sells them all,`; often empty
    named: Named


_ABBREVIATED = "".join(rf"(?<!\b{word}\.)" for word in ("Mr", "Mrs", "Ms", "Dr", "St", "vs", "a.m", "p.m"))
_SENTENCE_BREAK = re.compile(rf"(?<=[.!?])['\"”)]?{_ABBREVIATED}\s+(?=[A-Z\"“(])")
_ASKING = re.compile(
    r"(?i)(?:\b(?:calculate|find|find out|determine) )?\bhow (?:many|much|long)\b"
    r"|\bwhat(?:'s|’s| is| was| are| were| will be| would be)\b"
    r"|\b(?:calculate|find|determine|compute)\b(?: out)?(?= (?:the|his|her|their|its)\b)"
)
_EMPTY_OPENING = re.compile(r"(?i)(?:in total|altogether|in all|overall|then|in dollars|so|on average),?$")
# Last words of an opening from which the asking clause cannot be separated: `By`, `At least`.
_OPEN_END = re.compile(
    r"(?i)\b(?:by|in|at|least|most|than|about|approximately|exactly|for|of|and|to|out)$|[.;:]$"
)
_NOUN = re.compile(r"(?!.*(?:n't|\b(?:s?he|they|it|like|deep|tall|wide|high|far)\b))[A-Za-z][A-Za-z' -]*")
# Words of the asking clause that can be dropped without changing what is asked for.
_BESIDE = re.compile(
    r",? in dollars\b,?|,? (?:in total|in all|altogether|combined|total)(?=$|,)|,? in total\b"
)
_SUBORDINATE = re.compile(
    r"(?i)(?:if|after|when|in|on|at|for|assuming|given|suppos\w+|considering|knowing|since|because|by|during|from|with"
    r"|while|out of|before|once|between|per|over|as|based|using|to|among)\b"
)
_NOUN_PHRASE = re.compile(r"(?:the|an?|his|her|their|its|this|that|s?he|it|they|[A-Z][a-z]+)\b")
_DETERMINED = re.compile(r"(?:the|his|her|their|its|[A-Z]\w+['’]s?) ")
_NUMBER_OF = re.compile(
    r"the (?:total |combined )*number of ([a-z][a-z' -]*?)"
    r"(?: (?:that|who|which|in|on|at|left|the|he|she|they|[A-Z]).*)?$"
)
# Rates, comparisons, extremes and the like, about which further steps often make no sense.
_UNFIT = re.compile(
    r"(?i)\b(?:than|per|apiece|percent\w*|ratio|fraction|probability|more|fewer|less|difference|rate|likely|chance"
    r"|odds|latest|earliest|least|most|maximum|minimum|and how|respectively|or|rather|instead|old|else"
    r"|compared|ages?|speed|cents?)\b|%"
)
MAX_WORDS = 14
"""Maximum length of `Named.phrase` in words; a longer one is hard to follow inside another question."""
_MODALS = word_set("will would can could should must")
_AUXILIARIES = _MODALS | word_set("do does did is are was were has have had")
# Plain forms that follow a plural: `How many guests like soup?`
_TOLD_PLAIN = word_set("remain like live work attend play own want survive")


def parse_asking(question: str, *, is_money: bool) -> Asked | None:
    """Parse a question; return None where it asks for several things or in an unfamiliar way.

    `is_money` says that the answer is an amount of money. A condition at the end (`... if he sells them
    all?`) becomes the opening. An opening that is a full clause becomes the last sentence of the story.
    """
    text = " ".join(question.split())
    last = _SENTENCE_BREAK.split(text)[-1]
    asking = _ASKING.search(last)
    if "?" in text[:-1] or not last.endswith((".", "?")) or asking is None:
        return None
    opening = last[: asking.start()].strip()
    if _EMPTY_OPENING.match(opening):
        opening = ""
    opening = re.sub(r",? (?:then|so)$", ",", opening).rstrip(",")
    body, _, condition = last[asking.start() : -1].partition(" if ")
    if _OPEN_END.search(opening) or (opening and condition):
        return None
    opening = f"If {condition}" if condition else opening
    named = _name(body, is_money)
    if named is None or "," in named.relative or len(named.phrase.split()) > MAX_WORDS:
        return None
    if _UNFIT.search(f"{named.noun} {named.relative or named.phrase}"):
        return None
    story = text[: len(text) - len(last)].rstrip()
    if opening and not _SUBORDINATE.match(opening):
        return Asked(f"{story} {opening}.".strip(), "", named)
    return Asked(story, f"{opening}," if opening else "", named)


def _name(asking: str, is_money: bool) -> Named | None:
    body = _BESIDE.sub("", asking).strip(" ,")
    match = _ASKING.match(body)
    if match is None:
        return None
    start, rest = match[0].lower(), body[match.end() :].strip()
    if start.endswith(" how many"):
        return _name_indirect(rest)
    if start == "how many":
        return _name_count(rest)
    if start.endswith("how much"):
        return _name_amount(rest, is_money)
    if not start.endswith("how long"):
        return _name_phrase(rest, is_money)
    match = re.match(r"(does|did|will|would) it take ((?!to\b).+)$", rest)
    if match is None:
        return None
    takes = {"does": "takes", "did": "took"}.get(match[1], f"{match[1]} take")
    return Named(Kind.OTHER, "", f"it {takes} {match[2]}", f"the time it {takes} {match[2]}", "take")


def _auxiliary(words: list[str]) -> int | None:
    return next((i for i, word in enumerate(words) if word.lower() in _AUXILIARIES), None)


def _name_count(rest: str) -> Named | None:
    words = rest.split()
    place = _auxiliary(words)
    noun = " ".join(words[:place])
    if place is None:
        place = next((i for i in range(1, min(5, len(words))) if _is_finite(words, i)), 0)
        noun = " ".join(words[:place])
        told = (f"{_relative_pronoun(noun)} {' '.join(words[place:])}", "") if noun else None
    else:
        told = _tell(words[place].lower(), " ".join(words[place + 1 :]), noun) if noun else None
    if told is None:
        return None
    noun = re.sub(r"^(?:total|of the|of his|of her|of their) ", "", noun)
    if told[1] in {"need", "have"} and noun.startswith("more ") and "than" not in rest:
        noun = "additional " + noun.removeprefix("more ")
    if not 1 <= len(noun.split()) <= 5 or not _NOUN.fullmatch(noun):
        return None
    if noun == "dollars":
        return Named(Kind.MONEY, "", told[0], f"the amount of money {told[0]}".rstrip(), told[1])
    return Named(kind_of(noun), noun, told[0], f"the number of {noun} {told[0]}".rstrip(), told[1])


def _is_finite(words: list[str], place: int) -> bool:
    """Whether a word is a finite verb, as in `students passed the test` or `guests come to the fair`."""
    word, before = words[place], words[place - 1]
    after_plural = before.endswith("s") or before in {"people", "children", "men", "women"}
    return is_past(word) or word in _TOLD_PLAIN or (word in VERBS and after_plural)


def _name_indirect(rest: str) -> Named | None:
    """Name the number in an indirect question: `rest` is `pens she has` after `calculate how many`."""
    match = re.match(
        r"([a-z' -]+?) ((?:s?he|they|it|the|his|her|[A-Z]|(?:are|is|were|was|will|would)\b).+)$", rest
    )
    if match is None:
        return None
    noun, relative = match.groups()
    if relative.split()[0] in _AUXILIARIES:
        relative = f"{_relative_pronoun(noun)} {relative}"
    return Named(kind_of(noun), noun, relative, f"the number of {noun} {relative}")


def _name_amount(rest: str, is_money: bool) -> Named | None:
    words = rest.split()
    place = _auxiliary(words)
    if place is None:
        return None
    mass, clause = " ".join(words[:place]).lower(), " ".join(words[place + 1 :])
    if not mass and words[place].lower() in {"is", "was", "are", "were"} and " able " not in clause:
        return _name_phrase(clause, is_money)
    told = _tell(words[place].lower(), clause, "money") if clause else None
    if told is None:
        return None
    if is_money or "money" in mass:
        if mass and not re.fullmatch(r"(?:total )?(?:money|profit|change|cash)", mass):
            return None
        noun = {"": "amount", "profit": "profit", "change": "change"}.get(mass, "amount of money")
        return Named(Kind.MONEY, "", told[0], f"the {noun} {told[0]}", told[1])
    if not re.fullmatch(r"(?!longer|farther|further|taller|older|heavier|faster)[a-z]+(?: [a-z]+)?", mass):
        return None
    return Named(Kind.OTHER, "", told[0], f"the amount of {mass} {told[0]}", told[1])


def _name_phrase(rest: str, is_money: bool) -> Named | None:
    if not _DETERMINED.match(rest):
        return None
    if match := _NUMBER_OF.match(rest):
        words = match[1].split()
        noun = " ".join(words[: next((i for i, word in enumerate(words) if i and is_past(word)), len(words))])
        return Named(kind_of(noun), noun, rest[match.start(1) + len(noun) :].strip(), rest)
    return Named(Kind.MONEY if is_money else Kind.OTHER, "", "", rest)


def _tell(auxiliary: str, clause: str, noun: str) -> tuple[str, str] | None:
    """Turn `did` and `Natalia sell in May` into `Natalia sold in May` and the base form `sell`."""
    as_it_stands = f"{_relative_pronoun(noun)} {auxiliary} {clause}"
    split = split_clause(clause)
    if clause.startswith("not "):
        return as_it_stands, ""
    if auxiliary in {"do", "does", "did"}:
        if split is None:
            return None
        forms = {"do": split.verb, "does": third_person(split.verb), "did": past(split.verb)}
        verb = f"{auxiliary} not" if split.verb == "not" else forms[auxiliary]
        return _join(split, verb), split.verb
    if auxiliary in {"is", "are", "was", "were"}:
        if match := re.match(r"there(?: that are)?\b ?", clause):
            return clause[match.end() :], ""
        if split and split.verb not in VERBS and re.match(r"\w+ing$|going$|able$", split.verb):
            return _join(split, f"{auxiliary} {split.verb}"), ""
        return None if split or not clause or _NOUN_PHRASE.match(clause) else (as_it_stands, "")
    if auxiliary in _MODALS:
        if match := re.match(r"there be\b ?", clause):
            return clause[match.end() :], ""
        if re.match(r"(?:be|have|remain|need|fit|go|get|attend|receive) ", clause + " "):
            return as_it_stands, ""
    elif clause.startswith("been "):
        return as_it_stands, ""
    if split is None:
        return None
    return _join(split, f"{auxiliary} {split.verb}"), split.verb if auxiliary in _MODALS else ""


def _join(clause: SplitClause, verb: str) -> str:
    return " ".join(part for part in (clause.subject, clause.adverbs, verb, clause.tail) if part)


def _relative_pronoun(noun: str) -> str:
    return "who" if kind_of(noun) is Kind.PEOPLE else "that"
