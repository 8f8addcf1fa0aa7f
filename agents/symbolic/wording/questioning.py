"""Turns the sentence of a step into the question that the step answers."""

from __future__ import annotations

import re

from fdd.agents.symbolic.derivation import Step
from fdd.agents.symbolic.vocabulary import LISTS, word_set
from fdd.agents.symbolic.wording.grammar import THIRD_PERSONS, Predicate, read_predicate
from fdd.agents.symbolic.wording.sentences import (
    SETTING,
    Beginning,
    SplitSentence,
    beginnings,
    plain,
    split_sentence,
    without_filler,
)
from fdd.agents.symbolic.wording.words import Kind, kind_of
from fdd.amounts import CURRENCY

_MEASURE = (
    r"(?:total|number|sum|amount|costs?|price|rate|average|length|width|height|area|volume|perimeter|distance"
    r"|difference|share|fee|tax|discount|profit|revenue|income|salary|pay|rent|bill|tip|weight|age|speed"
    r"|value|balance|remainder|time|percentage|percent|fraction|ratio|earnings|savings|expenses?|score"
    r"|capacity|charge|payment|bonus|budget|size|quantity|count|increase|decrease|loss|wage|mileage)"
)
_MEASURED = re.compile(
    r"(?P<name>(?:(?:the|his|her|their|its|my|our|each|one|[A-Z][\w-]*['’]s?) )"
    rf"(?:[\w'’-]+ ){{0,3}}?{_MEASURE}\b.*?"
    r"|(?:twice|thrice|double|(?:half|a third|a quarter|[\d/]+%?(?:th|rd|nd)?|[a-z]+ percent) of) .+?)"
    r" (?P<be>is|was|are|were|will be|would be|comes out to|comes to|equals|becomes)(?: now| then| also)?"
)
_TASK = re.compile(
    r"(?i)(?:.* )?(?:find|figure out|calculate|determine|compute|get|know)(?: out)? "
    r"(?P<what>(?:the|his|her|their|how|[\w-]+['’]s?) [^:,]+?)(?:(?:[:,]| by\b| we\b).*)?"
)
_HOW = re.compile(
    r"how (?P<what>(?:much|many|long|far|fast)\b.*?) "
    r"(?=(?:the|each|a|an|he|she|it|they|his|her|their|one|both|[A-Z]\w+)\b)(?P<who>.+)"
)
_SAID_IN_ORDER = re.compile(r"how (?:many|much) [A-Za-z' -]+? (?:are|were|have|there are|there were)\b.*")
_HEADING = re.compile(
    r"(?P<heading>(?!.*\b(?:is|are|was|were|add|subtract|multiply|divide)\b)[^:=,;.]+?)\s*[:=]"
    rf"\s*(?:\(|{CURRENCY})*"
)
_TOTAL_OF = re.compile(r".*\ba (total (?!number|amount)[a-z]+) of\W*")
_BROKEN = re.compile(
    r"[,;:]|\b(?:is|are|was|were|has|have|had|will|would|so|which|because|since|he|she|they|there|and"
    r"|means)\b"
)
_COMPARED = re.compile(
    r"\W?\d|(?:as|more|fewer|less|times|twice|half|than|that|double|triple|two|three|four|five|six|seven"
    r"|eight|nine|ten)$"
)
_BEING = re.compile(r"\b(?:is|are|was|were|so)\b")
_TOGETHER = re.compile(r"\b(?:total|altogether|together|combined|both|all|left|more|in|per|last)\b")
_OLD = re.compile(r"years? old\b(.*)")
_EXTENT = re.compile(r"([a-z]+ (?:tall|long|wide|high|deep|heavy))\b.*")
_MORE = re.compile(r"((?:more|less)(?: (?!than)\w+)?)\b(.*)")
_NUMBERED = re.compile(r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|an?)\b")
_OF_MONEY = re.compile(
    r"(?:of|in) (?!the |his |her |their )(profit|tax|taxes|change|interest|tips|savings|debt)\b(.*)"
    r"|((?:more|less)(?: money)?)\b(.*)"
)
_OWNER = re.compile(r"(?:the|an?|his|her|its|their|my|your|our|.*['’]s)$")
# Verbs after which `how much` asks for money by itself.
_SPENT = word_set("cost pay charge spend save earn owe")
_PAID = frozenset(LISTS["paid"])
# Prepositions that move to the front (`By how much ...`) and that stay at the end; words that end a clause.
_FRONTED = word_set("by for in within")
_STRANDED = word_set("worth with at to from on of into over up out off down away")
_OBJECTS = word_set("him her them us me it himself herself themselves away up out back off down aside")


def question_of(step: Step, question: str) -> str | None:
    """Return the question that a step answers; None where its sentence does not say that clearly."""
    told = split_sentence(step)
    if told is None or told.tail.startswith("and "):  # `24 pens and books` does not say how many pens
        found = None
    elif task := _TASK.fullmatch(without_filler(told.before)):
        found = _ask_task(task["what"])
    elif match := _TOTAL_OF.fullmatch(told.before):
        found = f"What is the {match[1]}"
    elif match := _HEADING.fullmatch(told.before):
        found = _ask_headed(plain(match["heading"], question), told)
    else:
        asked = (_ask_clause(beginning, told) for beginning in beginnings(told, question))
        found = next(filter(None, asked), None)
    found = found or _ask_by_name(step)
    if not found:
        return None
    if told and told.is_total and found.startswith("How m") and not _TOGETHER.search(found):
        found += " in total"
    return " ".join(found.split()).rstrip(" ,.") + "?"


def _ask_by_name(step: Step) -> str | None:
    """Ask `How many kites in June are there` for `kites_in_june` if the sentence contains these words."""
    phrase = step.name.replace("_", " ")
    match = re.search(rf"\b{phrase}\b", step.text, re.IGNORECASE)
    head = re.split(r" (?:of|in|for|per|with|from|at|on) ", phrase)[0]
    if (
        match is None
        or not re.match(r"(?!many|more|not|each)\w+ \w", phrase)
        or not re.search("[^s]s$", head)
        or kind_of(head) not in {Kind.THINGS, Kind.PEOPLE}
        or head.split()[-1] in THIRD_PERSONS
    ):
        return None
    return f"How many {match[0]} are there"


def _ask_task(what: str) -> str | None:
    """Ask for the goal of a task, the text after `find` or `figure out`: `the total cost`, `how much ...`."""
    if not what.lower().startswith("how "):
        head = re.split(r" (?:of|in|on|for|that|who|per|after|before|when) ", what)[0]
        return f"What {'are' if re.search('[^s]s$', head) else 'is'} {what}"
    if _SAID_IN_ORDER.fullmatch(what):
        return re.sub(r" there (are|were)\b", r" \1 there", what[0].upper() + what[1:])
    match = _HOW.fullmatch(what)
    read = read_predicate(match["who"]) if match else None
    if match is None or read is None:
        return None
    return f"How {match['what']} {read.auxiliary} {read.subject} {read.verb} {' '.join(read.rest)}"


def _ask_headed(heading: str, told: SplitSentence) -> str | None:
    """Ask after a heading: `Total cost: ` or `5 kilometers in cold water: `."""
    words = heading.split()
    if not 1 <= len(words) <= 8 or words[-1] in {"of", "by", "to"} or _BROKEN.search(heading):
        return None
    if told.is_money and re.search(_MEASURE, heading):
        return f"What is the {heading}"
    if told.is_money:
        return f"How much for {heading}"
    if told.is_counted and told.noun not in heading:
        return f"How many {told.noun} for {heading}"
    return None if told.noun or not re.search("[^s]s$", heading) else f"How many {heading} are there"


def _ask_clause(clause: Beginning, told: SplitSentence) -> str | None:
    text, setting = clause
    read = read_predicate(text) if text else None
    if not text or (read is None and SETTING.fullmatch(text)):
        return _ask_counted(told, text or setting)
    match = _MEASURED.fullmatch(text)
    if (
        match
        and not _BEING.search(match["name"])
        and ("," not in text or ", and " in text or THIRD_PERSONS.isdisjoint(text.split()))
    ):
        name, be = match["name"], match["be"]
        if be.endswith(" be"):
            return f"What {be.removesuffix(' be')} {name} be {setting}"
        return f"What {be if be in {'was', 'are', 'were'} else 'is'} {name} {setting}"
    if read is None or _BROKEN.search(" ".join(read.rest)) or not THIRD_PERSONS.isdisjoint(read.rest):
        return None
    if read.subject == "there":
        return _ask_existing(read, told, setting)
    if read.is_being and not read.rest:
        return _ask_being(read, told, setting)
    return _ask_doing(read, told, setting)


def _ask_counted(told: SplitSentence, setting: str) -> str | None:
    """Ask where nothing or a setting precedes the number: `12 oranges were eaten`, `For the cat, 3 cans`."""
    read = read_predicate(told.after)
    if told.noun and not told.is_money and read and read.auxiliary not in {"is", "was", "does", "has"}:
        return f"How many {told.after} {setting}"
    if not setting.startswith("for ") or told.tail:
        return None
    if told.is_money:
        return f"How much {setting}"
    return f"How many {told.noun} {setting}" if told.is_counted else None


def _ask_existing(read: Predicate, told: SplitSentence, setting: str) -> str | None:
    """Ask after `there are`."""
    if not told.is_counted or read.rest:
        return None
    be = "are" if read.auxiliary == "is" else read.auxiliary
    if (match := re.match(r"(?:who|that) (.+)", told.tail)) and read_predicate(f"the {told.noun} {match[1]}"):
        return f"How many {told.noun} {match[1]} {setting}"
    told = told._replace(tail=re.sub(r"^(?=(?:he|she|they|it|we|you|I) )", "that ", told.tail))
    if re.match(
        r"(?:left|remaining|\w+ing|\w+ed|sold|taken|(?:in|on|at)\b(?! (?:total|all|each)))\b", told.tail
    ):
        return f"How many {told.noun} {be} {read.verb} {told.tail} {setting}"
    return f"How many {told.noun} {be} there {read.verb} {told.tail} {setting}"


def _ask_being(read: Predicate, told: SplitSentence, setting: str) -> str | None:
    """Ask after a form of `be`: `Patricia is`, before `41 years old`."""
    being = f"{read.auxiliary} {read.subject} {read.verb}"
    if match := _OLD.fullmatch(told.after):
        return f"How old {being} {match[1]} {setting}"
    if match := _EXTENT.fullmatch(told.after):
        return f"How many {match[1]} {being} {setting}"
    if read.subject in {"that", "this", "it"}:
        clear = told.tail and told.is_counted and not told.is_money
        return f"How many {told.noun} {read.auxiliary} that {told.tail} {setting}" if clear else None
    if told.is_money:
        more = _MORE.match(told.after)
        return f"How much {more[1]} {being} {more[2]}" if more else f"How much {being} {setting}"
    # A distance or a count: `the shop is` before `20 miles away`, `the men are` before `252`.
    if told.noun in read.subject and re.match(r"(?:the|those|these) .*[a-z]s$", read.subject):
        things = read.subject.split(" ", 1)[1]
        return f"How many {things} {read.auxiliary} there {read.verb} {told.tail} {setting}"
    if not told.is_counted:
        return None
    if _NUMBERED.match(read.subject):
        return f"How many {told.noun} are there in {read.subject}"
    if told.tail.startswith("away"):
        return f"How many {told.noun} {told.tail} {being} {setting}"
    return f"How many {told.noun} {being} {told.tail} {setting}"


def _ask_doing(read: Predicate, told: SplitSentence, setting: str) -> str | None:
    """Ask after a clause with another verb: `she sold`."""
    verb = read.verb.split()[-1] if read.verb else ""
    what, tail = _what(told, verb)
    rest = _without_comparison(read.rest)
    if not what or rest is None or re.match(r"(?:is|are|was|were|will|has|have)\b", tail):
        return None
    if not verb and (rest != list(read.rest) or rest[-1] not in _STRANDED):
        return None
    if len(rest) > 2 and rest[0] in {"a", "an", "the"} and rest[-1] == "of":
        what, rest = f"What {' '.join(rest[1:-1])}", []
    elif rest and rest[-1] in _FRONTED:
        what = f"{rest.pop().capitalize()} h{what[1:]}"
    elif len(rest) > 1 and rest[-1] == "with":
        what, tail = f"{rest.pop().capitalize()} h{what[1:]} {tail}", ""
    return " ".join((what, read.auxiliary, read.subject, read.verb, *rest, tail, setting))


def _without_comparison(rest: tuple[str, ...]) -> list[str] | None:
    """Drop a comparison or number and what follows (`away 2 dozen cupcakes`); None where that matters."""
    place = next((place for place, word in enumerate(rest) if _COMPARED.match(word)), len(rest))
    kept = list(rest[:place])
    if place == len(rest):
        return kept if place <= 5 and (place < 2 or not _OWNER.match(rest[-1])) else None
    cut = kept[-1:] and (_OWNER.match(kept[-1]) or kept[-1] in (_STRANDED | _FRONTED) - _OBJECTS)
    return kept if len(rest) > place + 1 and not cut and place <= 2 else None


def _what(told: SplitSentence, verb: str) -> tuple[str, str]:
    """Return the beginning of the question (`How many clips`) and the text after it; empty if unclear."""
    if told.is_counted and not told.is_money:
        return f"How many {told.noun}", told.tail
    if not told.is_money and (told.noun or verb not in _SPENT):
        return "", ""
    if match := _OF_MONEY.match(told.after):
        return f"How much {match[1] or match[3]}", match[2] or match[4] or ""
    if verb in _SPENT:
        return "How much", told.after.removesuffix(" money")
    return ("How much money", told.after.removesuffix(" money")) if verb in _PAID else ("", "")
