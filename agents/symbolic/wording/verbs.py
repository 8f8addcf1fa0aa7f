"""Splits and inflects verbs, just enough to turn `did Natalia sell clips` into `Natalia sold clips`.

`Natalia sell clips in May` splits into `Natalia`, `sell` and `clips in May`; the past of `sell` is `sold`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_IRREGULAR_FORMS = (
    "be:was become:became begin:began bend:bent bet:bet bite:bit blow:blew break:broke bring:brought "
    "build:built burn:burned burst:burst buy:bought cast:cast catch:caught choose:chose come:came cost:cost "
    "cut:cut deal:dealt dig:dug do:did draw:drew drink:drank drive:drove eat:ate fall:fell feed:fed "
    "feel:felt fight:fought find:found fit:fit fly:flew forget:forgot freeze:froze get:got give:gave "
    "go:went grow:grew hang:hung have:had hear:heard hide:hid hit:hit hold:held hurt:hurt keep:kept "
    "know:knew lay:laid lead:led leave:left lend:lent let:let lose:lost make:made mean:meant meet:met "
    "pay:paid put:put quit:quit read:read ride:rode ring:rang rise:rose run:ran say:said see:saw sell:sold "
    "send:sent set:set sew:sewed shake:shook shoot:shot shut:shut sing:sang sink:sank sit:sat sleep:slept "
    "slide:slid speak:spoke spend:spent spin:spun split:split spread:spread stand:stood steal:stole "
    "stick:stuck string:strung strike:struck sweep:swept swim:swam take:took teach:taught tell:told "
    "think:thought throw:threw wake:woke wear:wore weave:wove win:won wind:wound withdraw:withdrew "
    "write:wrote"
)
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_FORMS.split())
_REGULAR_VERBS = (
    "add allocate allow answer arrive ask average bake belong bike block borrow bounce brew burn call carry "
    "charge chew chop clean climb collect complete consume contain contribute cook count cover create cycle "
    "deliver deposit destroy display donate dribble drop dry earn employ end enter expect fill finish fold "
    "gain gather harvest help hike invest invite jog join juggle jump kick kill last learn lift like listen "
    "live load look love manage measure miss move need offer open order own owe pack paint park pass pick "
    "place plan plant play polish pour practice prepare process produce profit pull purchase push raise "
    "reach receive remain remove rent repair replace require return sample save score serve share shop "
    "shovel sign skate smoke solve sort start stay stop store stretch study swallow total train transport "
    "travel trim try type unload use visit volunteer wait walk want wash waste watch water weigh work wrap "
    "yield"
)
VERBS = frozenset(_IRREGULAR) | frozenset(_REGULAR_VERBS.split())
"""The known verbs in base form."""

_ADVERBS_WORDS = (
    "still now also actually already originally initially usually each both all then currently typically "
    "finally only really together alone"
)
_ADVERBS = frozenset(_ADVERBS_WORDS.split())
_PRONOUN = re.compile(r"(?:he|she|it|they|you|we|I|everything|everyone|someone)\b")
_NAME = r"(?:(?:Mrs?|Ms|Dr|Miss)\.? )?[A-Z][A-Za-z-]+(?: [A-Z][A-Za-z-]+)?"
_NAMES = re.compile(rf"{_NAME}(?:(?:,? and|,| &) (?:(?:his|her) [a-z]+|{_NAME}))*\b(?!['’])")
_POSSESSIVE = re.compile(rf"{_NAME}['’]s? ")
_DETERMINED = re.compile(
    r"(?:the|his|her|their|its|your|my|our|each|every|both|all|an?|this|that|these|those|one)(?: of)? ",
    re.IGNORECASE,
)
_MAX_SUBJECT_WORDS = 6


class Clause(NamedTuple):
    """A split clause: `Natalia`, `sell`, `clips in May`; adverbs between subject and verb are kept apart."""

    subject: str
    adverbs: str
    verb: str
    tail: str


def split_clause(text: str) -> Clause | None:
    """Split a clause with a verb in base form (`she sell clips`).

    Returns None where the end of the subject is unclear or no verb follows it.
    """
    subject = _subject(text)
    if subject is None:
        return None
    words = text[len(subject) :].split()
    adverbs = []
    while words and words[0].lower() in _ADVERBS:
        adverbs.append(words.pop(0))
    if not words or not re.fullmatch(r"[a-z]+(?:-[a-z]+)?", words[0]):
        return None
    return Clause(subject, " ".join(adverbs), words[0], " ".join(words[1:]))


def _subject(text: str) -> str | None:
    if match := _PRONOUN.match(text):
        return match[0]
    if (match := _NAMES.match(text)) and match[0].split()[0] not in {"The", "Each", "All"}:
        return match[0]
    if _DETERMINED.match(text) or _POSSESSIVE.match(text):
        words = text.split()
        for count in range(2, min(len(words), _MAX_SUBJECT_WORDS + 1)):
            is_noun = words[count - 1].lower() in {"the", "of", "to", "his", "her"}
            is_noun = is_noun or (count + 1 < len(words) and words[count + 1] in VERBS)
            if words[count] in VERBS and not is_noun:
                return " ".join(words[:count])
    return None


def past(verb: str) -> str:
    """Return the past tense: `sell` -> `sold`, `carry` -> `carried`, `plan` -> `planned`."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb):
        return verb + verb[-1] + "ed"
    return verb + "ed"


def third_person(verb: str) -> str:
    """Return the third person: `sell` -> `sells`, `have` -> `has`, `carry` -> `carries`; `has` stays."""
    if verb == "has":
        return verb
    if verb in {"have", "be"}:
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def is_past(word: str) -> bool:
    """Whether a word may be a verb in the past tense."""
    return word in _PAST or (word.endswith("ed") and len(word) > 4)


# Without forms that are also base forms (`cut`, `found`) or often mean something else (`left`).
_PAST = frozenset(_IRREGULAR.values()) - {
    "cost",
    "put",
    "set",
    "cut",
    "read",
    "hit",
    "let",
    "left",
    "found",
    "saw",
}
