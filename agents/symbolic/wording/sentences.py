"""Splits a sentence of a worked solution at the number that a step finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from fdd.agents.symbolic.derivation import Step
from fdd.agents.symbolic.numbers import find_quantities
from fdd.agents.symbolic.reading.parse import read_claims
from fdd.agents.symbolic.vocabulary import LISTS
from fdd.agents.symbolic.wording.first_names import gender, people
from fdd.agents.symbolic.wording.grammar import read_predicate
from fdd.amounts import CURRENCY, CURRENCY_SIGNS


class SplitSentence(NamedTuple):
    """A sentence that is split at a number: `She sold`, `clips`, `in May`."""

    before: str
    noun: str  # what is counted; empty where nothing is, as after an amount of money
    tail: str
    is_money: bool
    is_total: bool  # whether the sentence speaks of a total, as in `altogether` or `a total of`

    @property
    def after(self) -> str:
        return f"{self.noun} {self.tail}".strip()

    @property
    def is_counted(self) -> bool:
        """Whether `how many` can be asked of the noun."""
        if not _FEW_WORDS.fullmatch(self.noun):
            return False
        head = self.noun.split(" of ")[0].split()[-1]
        is_ratio = re.match(r"times (?:as|more|less|fewer|the|his|her|their)\b", self.after)
        return head in _MASS or (head.endswith("s") and not head.endswith("ss") and not is_ratio)


class Beginning(NamedTuple):
    """A possible beginning of the clause that contains the number, such as `she sold`."""

    text: str
    setting: str  # when or where, according to the words before the clause: `on Friday`; often empty


MAX_LENGTH = 600
"""Maximum length of a sentence in characters; a longer one is unclear and slow to split into clauses."""

_TOTAL = r"(?:a|the) (?:grand |combined |final )?(?:total|sum)(?: amount| number)? of"
_SO = r"which means|that means|which makes|which is|that is|that[’']s|so|or"
_ALL_IN_ALL = re.compile(
    rf"(?i)^\W*(?:(?:so|thus|then|therefore|and),? )?(?:altogether|in total|in all|overall)\b|\b{_TOTAL}\W*$"
)
# Text directly before a number that belongs neither to the verb nor to the number: `a total of`, `about`.
_FILLER = re.compile(
    rf"(?i),? (?:meaning|totaling|giving)$|(?:^|,? )(?:(?:for |in |with |to |of |{_SO} )??{_TOTAL}|{_SO}|only"
    r"|just|about|exactly|another|an additional|an extra|an?|additional|up to|a full|around|approximately"
    r"|roughly|also|still|now|equal to|at least|at most)$"
)
# The first word after the counted noun: `in` in `clips in May`.
_TAIL = re.compile(
    r"(?<!\bof)(?:^| )(?:in|on|at|for|from|to|with|per|each|every|during|after|before|when|if|that|who|by"
    r"|into|left|remaining|over|until|between|among|total|altogether|together|combined|now|today|tomorrow"
    r"|yesterday|the|his|her|than|through|out|apiece|both|either|without|while|where|as|he|she|it|they|and"
    r"|or|is|are|was|were|will|would|can|could|should|has|have|had|about|this|last|next|away|worth|an?"
    r"|available|old|tall|long|wide|high|deep|heavy)(?= |$)"
)
_PARTICIPLE = re.compile(
    r"(.*?(?:[a-z]{2}s|people|children|men|women)) ((?:[a-z]+(?:ing|ed)|sold|taken|left|needed)\b.*)"
)
_CUT = re.compile(
    r"[.;:!?](?:\s|$)|,(?!\d)|[=()\[\]]|\s(?:so|because|since|which|but|while|meaning)\s"
    r"|\sand\s(?:(?=(?:he|she|it|they|so|then|there)\b|\d)|(?P<name>(?=[A-Z])))"
)
_FEW_WORDS = re.compile(r"(?:[A-Za-z][A-Za-z'’-]* ){0,4}(?!of$)[A-Za-z][A-Za-z'’-]*")
_LIST = re.compile(r",(?: [\w'’-]+){1,4},? (?:and|or)\b")
_OPENING = re.compile(
    r"(?i)(?:so far|so|thus far|thus|therefore|then|hence|now|next|firstly|first|secondly|second|third"
    r"|finally|lastly|also|and|but|or|however|overall|altogether|in total|in all|all together|together|since"
    r"|because|if so|if|(?:this|that|which|it) means(?: that)?|meaning(?: that)?|we know(?: that)?|after that"
    r"|afterwards|initially|additionally|similarly|likewise|furthermore|in conclusion|as a result"
    r"|in addition|consequently|currently|meanwhile|while|combined)\b,? ?"
)
# Where a clause may begin within a sentence.
_BOUNDARY = re.compile(
    r"[,;:](?: |$)|(?<= )(?:so|because|since|then|and|which means|that means|meaning|therefore|thus)"
    r"(?: that)? |(?<= )(?=(?:he|she|they|it|there|we|you) )"
)
_DAY = (
    r"(?:each|every|(?:that|this|the|one)(?: next| last| past| same| first| second| third)?|next|last) "
    r"(?:day|night|week|month|year|weekend|morning|afternoon|evening|hour|time|summer|winter|[A-Z][a-z]+day)"
)
_LEADING = re.compile(rf"(?i)({_DAY}),? (?!of|and|or|for|in)(.+)")
SETTING = re.compile(
    r"(?i)(?:on|in|at|for|during|from|over|by|after|before|with) (?!total|all|order|case|addition)"
    rf"[\w'’-]+(?: [\w'’-]+){{0,7}}|{_DAY}"
)
_SECOND_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had|will|would|so|he|she|they|there)\b")
_SIGNS = re.compile(rf"(?:{CURRENCY}|[ (=:])+$")
_MASS = frozenset(LISTS["mass"])
_COMMON = frozenset(LISTS["lower_case"])


def split_sentence(step: Step) -> SplitSentence | None:
    """Split the sentence of a step at its value; None where it lacks the value or exceeds `MAX_LENGTH`."""
    if len(step.text) > MAX_LENGTH:
        return None
    text = re.sub(r"(?<=\w)['’]ll\b", " will", re.sub(r"(?<=\w)['’]ve\b", " have", step.text))
    claim = next((each for each in read_claims(text, plain=True) if each.written == step.value), None)
    # In `It costs $10 because 5 * 2 = 10` the value before `because` counts.
    if claim and not re.search(r"\b(?:because|since)\W*$", text[: claim.start]):
        return _cut(text, claim.start, claim.end, step.value)
    text = re.split(r"\s(?:because|since)\s", text[: claim.start] if claim else text)[0]
    numbers = [number for number in find_quantities(text) if number.value == step.value]
    return _cut(text, numbers[-1].start, numbers[-1].end, step.value) if numbers else None


def _cut(text: str, start: int, end: int, value: Fraction) -> SplitSentence:
    before, rest = text[:start], text[end:].lstrip(f". {CURRENCY_SIGNS}")
    is_money = re.search(rf"{CURRENCY}\s*[\d.,]+$", text[:end]) or re.match(
        rf"\s?[{CURRENCY_SIGNS}]", text[end:]
    )
    # `and Ben` begins a clause in `and Ben has 3`, but not in `for Ann and Ben`.
    stops = (each for each in _CUT.finditer(rest) if each["name"] is None or _has_verb(rest[each.end() :]))
    stop = next(stops, None)
    after = re.sub(r"/(?=[a-z])", " per ", rest[: stop.start()] if stop else rest).strip()
    noun, tail = _split_noun(after.removeprefix("total "), value)
    is_list = stop and _LIST.match(rest, stop.start())
    is_total = _ALL_IN_ALL.search(before) is not None
    return SplitSentence(before, noun, "" if is_list else tail, is_money is not None, is_total)


def _has_verb(text: str) -> bool:
    return read_predicate(re.split(r"[.;:!?,](?:\s|$)", text, maxsplit=1)[0]) is not None


def _split_noun(after: str, value: Fraction) -> tuple[str, str]:
    match = _TAIL.search(after)
    noun = (after[: match.start()] if match else after).strip()
    tail = after[match.start() :].strip() if match else ""
    if noun in {"more", "less", "fewer"}:
        return "", after
    if match := _PARTICIPLE.fullmatch(noun):
        noun, tail = match[1], f"{match[2]} {tail}".strip()
    if value == 1 and re.fullmatch(r"(?:[\w-]+ )*?[a-z]+[a-rt-z](?: of .+)?", noun):
        head, of, what = noun.partition(" of ")
        noun = head + "s" * (head.split()[-1] not in _MASS) + of + what
    return noun, tail


def beginnings(told: SplitSentence, question: str) -> Iterator[Beginning]:
    """Yield the possible beginnings of the number's clause, the longest first and an empty one last."""
    text = without_filler(told.before)
    starts = [0, *(match.end() for match in _BOUNDARY.finditer(text))]
    subject = _first_subject(plain(text, question))
    for place, start in enumerate(starts):
        setting = _opened(text[starts[place - 1] : start].strip(" ,")) if place else ""
        fits = SETTING.fullmatch(setting) and told.noun not in setting.split()
        clause = plain(text[start:], question)
        if place and "," in clause:
            continue
        if match := _LEADING.fullmatch(clause):
            yield Beginning(_uncapitalised(match[2], question), match[1][0].lower() + match[1][1:])
        pronoun, _, rest = clause.partition(" ")
        if place and rest and pronoun in subject:
            clause = f"{subject[pronoun]} {rest}"
        yield Beginning(
            clause, _uncapitalised(setting, question) if fits and not _SECOND_VERB.search(setting) else ""
        )
    yield Beginning("", "")


def without_filler(text: str) -> str:
    """Remove what may stand between a verb and its number, such as `a total of`."""
    shorter, text = _SIGNS.sub("", text), ""
    while shorter != text:
        text = shorter
        shorter = _SIGNS.sub("", _FILLER.sub("", text))
    return text


def plain(text: str, question: str) -> str:
    """Remove linking words at the start (`So`); write the next one in lower case unless it is a name."""
    return _uncapitalised(_opened(text.strip("•-* ")), question)


def _opened(clause: str) -> str:
    while match := _OPENING.match(clause):
        clause = clause[match.end() :]
    return clause


def _uncapitalised(text: str, question: str) -> str:
    """Write the first letter in lower case, unless the first word is a name."""
    match = re.match(r"[A-Z][\w-]*\b", text)
    if match is None or match[0] == "I":
        return text
    first, stem = match[0], re.escape(match[0].lower().removesuffix("s"))
    if first.lower() in _COMMON or first.endswith("ing"):
        return text[0].lower() + text[1:]
    if re.match(r" [A-Z]", text[match.end() :]) or first in people(question):
        return text
    known = re.search(rf"\b{stem}s?\b", question) or first not in question
    return text[0].lower() + text[1:] if known else text


def _first_subject(text: str) -> dict[str, str]:
    """Map the pronoun of a sentence's subject to that subject: later clauses may use the pronoun."""
    read = read_predicate(text)
    if read is None:
        return {}
    if who := gender(read.subject):
        return {"she" if who == "f" else "he": read.subject}
    things = re.fullmatch(r"(?:the|these|those|his|her|their|its) [a-z' -]+", read.subject)
    return {("they" if read.subject.endswith("s") else "it"): read.subject} if things else {}
