"""Makes copies of questions by rule, as they get into training data, for decontamination to find."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fdd.agents.symbolic.wording.first_names import people
from fdd.matching import exact_form

Plant = Callable[[str, random.Random], str]

_SMALL = "two three four five six seven eight nine ten eleven twelve"
NUMBER_WORDS = [*_SMALL.split(), "fifteen", "twenty", "thirty", "forty", "fifty"]
PARTS = {"half": "a third", "twice": "three times", "double": "triple", "a quarter": "a fifth"}
_DIGITS = re.compile(r"(?<![\w./:])\d+(?:,\d{3})*(?:\.\d+)?")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
_PART = re.compile(rf"\b(?:{'|'.join(PARTS)})\b")
_STANDS_ALONE = re.compile(r"(?<![$€£.,/:\w-])\d+\b(?!%|[.,/:°-]\w)")

STRANGERS = [
    *("Xiomara", "Okonkwo", "Anneliese", "Thanh", "Bartholomew", "Ravindra", "Zeynep", "Siobhán", "Takeshi"),
    *("Wambui", "Björn", "Ines", "Dmitri", "Jean-Luc", "Mary Ellen", "Old Joe", "Aunt Philippa"),
    *("Mrs. Lindqvist", "Mr. Abernathy", "Dr. van Houten"),
]
_PROPER_NOUN = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\b")
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MONTHS = "January February March April May June July August September October November December"
_CALENDAR = {*_DAYS.split(), *_MONTHS.split()}

SYNONYMS = {
    "altogether": ["in total", "overall"],
    "in total": ["altogether", "in all"],
    "buys": ["purchases", "gets"],
    "bought": ["purchased", "got"],
    "buy": ["purchase", "get"],
    "gives": ["hands"],
    "gave": ["handed"],
    "every": ["each"],
    "has": ["owns"],
    "left": ["remaining", "over"],
    "needs": ["requires"],
    "starts": ["begins"],
    "started": ["began"],
    "finish": ["complete"],
    "per": ["a", "each"],
    "kids": ["children"],
    "mom": ["mother"],
    "earns": ["makes", "gets"],
    "makes": ["earns", "produces"],
    "earn": ["make"],
    "make": ["earn", "produce"],
    "money": ["cash"],
    "store": ["shop"],
    "costs": ["is priced at", "sells for"],
    "cost": ["sell for"],
    "wants to": ["would like to", "plans to"],
    "has to": ["must"],
    "decides to": ["chooses to"],
    "the rest": ["the remainder", "the others"],
    "uses": ["employs"],
    "picked": ["gathered"],
    "made": ["produced"],
    "eats": ["consumes"],
    "ate": ["consumed"],
    "spends": ["pays"],
    "spent": ["paid"],
    "also": ["in addition"],
    "then": ["after that", "afterwards"],
    "if": ["provided that"],
    "because": ["since", "as"],
    "while": ["whereas"],
    "big": ["large"],
    "small": ["little"],
    "house": ["home"],
    "friends": ["buddies"],
    "receives": ["gets"],
    "gets": ["receives"],
    "goes": ["travels"],
    "puts": ["places"],
    "put": ["placed"],
    "job": ["work"],
    "trip": ["journey"],
    "contains": ["holds"],
    "holds": ["contains"],
    "there are": ["there exist"],
    "collected": ["gathered"],
    "during": ["in the course of"],
    "remaining": ["other"],
    "how much money": ["what amount of money"],
    "how many": ["what number of"],
}
CONTRACTIONS = {
    "does not": "doesn't",
    "did not": "didn't",
    "do not": "don't",
    "is not": "isn't",
    "was not": "wasn't",
    "cannot": "can't",
    "will not": "won't",
    "it is": "it's",
    "he is": "he's",
    "she is": "she's",
    "they are": "they're",
    "he has": "he's",
    "she has": "she's",
    "they have": "they've",
    "he will": "he'll",
    "she will": "she'll",
    "they will": "they'll",
    "he would": "he'd",
    "there is": "there's",
}
_BY_WORDS = {
    **SYNONYMS,
    **{long: [short] for long, short in CONTRACTIONS.items()},
    **{short: [long] for long, short in CONTRACTIONS.items()},
}
_REPLACEABLE = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, _BY_WORDS), key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_IF_FIRST = re.compile(r"If (?P<condition>[^,]+), (?P<rest>.+)(?P<end>[.?])")
_IF_LAST = re.compile(r"(?P<rest>[^,]+?),? if (?P<condition>[^,]+)(?P<end>[.?])")
_WHEN_FIRST = re.compile(
    r"(?P<when>(?:In|On|At|During|After|Before|Every|Each|Last|For) [^,.?]{3,40}), (?P<rest>.+)(?P<end>[.?])"
)
_FIRST_WORDS = "The A An He She They It His Her Their There How What Each Every All One Some This These"
_LOWER_FIRST = frozenset(_FIRST_WORDS.split())
_PUNCTUATION = [
    (re.compile(r"\. (?=There )"), ": "),
    (re.compile(r", and "), " and "),
    (re.compile(r"(?<=\w) but "), ", but "),
    (re.compile(r"\. (?=Then )"), ", "),
    (re.compile(r", (?=how |what )"), " - "),
]


def verbatim(question: str, rng: random.Random) -> str:
    """Changes only the look: case, blanks, quotation marks or an invisible character."""
    looks: Sequence[Callable[[str], str]] = (
        str.upper,
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace("'", "’"),
        lambda text: f"  {text}\n",
        lambda text: text.replace("o", "o\u200b", 1),
    )
    return rng.choice(looks)(question)


def renumbered(question: str, rng: random.Random) -> str:
    """Changes the numbers; some digits become words, and some words become digits."""

    def other_digits(match: re.Match[str]) -> str:
        old = match[0].replace(",", "")
        if "." in old:
            return f"{float(old) * rng.choice((0.5, 1.5, 2)):.{len(old.split('.')[1])}f}"
        new = rng.randint(2, max(12, 2 * int(old)))
        return f"{new:,}" if "," in match[0] else str(new)

    def in_words(match: re.Match[str]) -> str:
        small = 2 <= int(match[0]) <= 12 and rng.random() < 0.4
        return NUMBER_WORDS[int(match[0]) - 2] if small else match[0]

    def other_word(match: re.Match[str]) -> str:
        other = rng.choice([word for word in NUMBER_WORDS if word != match[0].lower()])
        return str(rng.randint(2, 50)) if rng.random() < 0.4 else _like(match[0], other)

    text = _NUMBER_WORD.sub(other_word, question)
    text = _DIGITS.sub(other_digits, text)
    text = _STANDS_ALONE.sub(in_words, text)
    return _PART.sub(lambda match: PARTS[match[0]] if rng.random() < 0.5 else match[0], text)


def renamed(question: str, rng: random.Random) -> str:
    """Replaces the names of people by common or rare ones, of one word or two."""
    names = {*people(question), *_PROPER_NOUN.findall(question)} - _CALENDAR
    if not names:
        return question
    new = dict(zip(sorted(names), rng.sample(STRANGERS, len(names)), strict=True))
    return re.sub(rf"\b(?:{'|'.join(new)})\b", lambda match: new[match[0]], question)


def renamed_and_renumbered(question: str, rng: random.Random) -> str:
    copy = renamed(question, rng)
    return question if copy == question else renumbered(copy, rng)


def extended(question: str, rng: random.Random) -> str:
    """Puts a sentence before or after the question, as in a problem of more steps."""
    before = ("This happened last summer.", "Here is a problem about everyday life.")
    after = ("If this were repeated 4 times, what would the result be?", "What is a fifth of that?")
    return f"{rng.choice(before)} {question}" if rng.random() < 0.3 else f"{question} {rng.choice(after)}"


def paraphrased(question: str, rng: random.Random) -> str:
    """Paraphrases lightly: swaps clauses; replaces, contracts or expands words; changes punctuation."""
    sentences = [_swapped(sentence, rng) for sentence in _SENTENCE.split(question.strip())]
    text = _REPLACEABLE.sub(lambda match: _exchanged(match, rng), " ".join(sentences))
    return _punctuated(text, rng)


def _exchanged(match: re.Match[str], rng: random.Random) -> str:
    if rng.random() < 0.4:
        return match[0]
    return _like(match[0], rng.choice(_BY_WORDS[match[0].lower()]))


def _swapped(sentence: str, rng: random.Random) -> str:
    if rng.random() < 0.25:
        return sentence
    if found := _IF_FIRST.fullmatch(sentence):
        return f"{_upper(found['rest'])} if {_lower(found['condition'])}{found['end']}"
    if found := _IF_LAST.fullmatch(sentence):
        return f"If {found['condition']}, {_lower(found['rest'])}{found['end']}"
    if found := _WHEN_FIRST.fullmatch(sentence):
        return f"{_upper(found['rest'])} {found['when'][0].lower()}{found['when'][1:]}{found['end']}"
    return sentence


def _punctuated(text: str, rng: random.Random) -> str:
    for pattern, new in _PUNCTUATION:
        if rng.random() < 0.5:
            text = pattern.sub(new, text, count=1)
    return text


def _like(old: str, new: str) -> str:
    return _upper(new) if old[0].isupper() else new


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    """Lowers the first letter, unless the first word may be a name."""
    return text[:1].lower() + text[1:] if text.split(" ", 1)[0] in _LOWER_FIRST else text


PLANTS: dict[str, Plant] = {
    "verbatim": verbatim,
    "renumbered": renumbered,
    "renamed": renamed,
    "renamed, renumbered": renamed_and_renumbered,
    "extended": extended,
    "paraphrased by rule": paraphrased,
}


def planted(questions: Sequence[str], kind: str) -> list[tuple[str, str]]:
    """Pairs each question with a copy of this kind; leaves out questions that the kind does not change."""
    pairs = [(each, PLANTS[kind](each, random.Random(f"{kind} {each}"))) for each in questions]
    if kind == "verbatim":
        return pairs
    return [(question, copy) for question, copy in pairs if exact_form(copy) != exact_form(question)]


def written_by_hand() -> list[tuple[str, str]]:
    """Returns questions, each with a paraphrase that a person wrote."""
    lines = (Path(__file__).parent / "paraphrases.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["question"], row["paraphrase"]) for row in rows]
