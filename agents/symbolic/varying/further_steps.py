"""Asks for more: further steps on the answer of a problem, or the answer in another measure."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fdd.agents.symbolic.computation import Number
from fdd.agents.symbolic.derivation import OPERATORS, Sign
from fdd.agents.symbolic.numbers import decimal_places, write_plain
from fdd.agents.symbolic.vocabulary import LISTS
from fdd.agents.symbolic.wording.asking import Asked, Named
from fdd.agents.symbolic.wording.first_names import gender, other_name
from fdd.agents.symbolic.wording.words import Kind
from fdd.amounts import CURRENCY

SHARES = (10, 20, 25, 30, 40, 60, 75)  # the percentages that a further step may use
MOST_YEARS = 100  # largest age, in years, that a new question may ask for

# Verbs after which the counted things are gone or only wished for: they cannot be sorted or given away.
_OUT_OF_REACH = re.compile(
    r"\b(?:eats?|ate|eaten|sells?|sold|uses?|used|drinks?|drank|drunk|loses?|lost|gives?|gave|given|donate[sd]?"
    r"|breaks?|broken?|kill\w*|burn\w*|throws?|threw|thrown|consum\w+|spen\w+|miss\w*|needs?|needed|wants?"
    r"|would|should|must|can|could|have to|has to|to (?!the\b|an?\b|his\b|her\b|their\b)[a-z]+|read|watch\w*"
    r"|remove[sd]?|die[sd]?|sees?|saw|slain|slew|count\w*|serve[sd]?|ship\w*|deliver\w*|return\w*|answer\w*"
    r"|play\w*|visit\w*|crash\w*|pop\w*)\b"
)
_ITEMS = ("tickets", "stickers", "balloons", "pencils", "bottles of water", "cookies")
_USES = ("put into savings", "given to charity", "spent on a gift")
# For each trait: `students with glasses`, `25% of the students wear glasses`, `how many do not wear glasses`.
_TRAITS = (
    ("with glasses", "wear glasses", "do not wear glasses"),
    ("who are left-handed", "are left-handed", "are not left-handed"),
    ("who play chess", "play chess", "do not play chess"),
)
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_OWNING = re.compile(r"(?:have|collect|own|buy|get|receive|make|catch|pick|find|sell|bake|win)$")
_SPENDING = re.compile(
    r"\b(?:costs?|spends?|spent|pays?|paid|paying|price|bill|owe[sd]?|charge\w*|expenses?|payments?|installments?|rent|fee|fine|tax)\b"
)
_PLURAL_AMOUNT = re.compile(
    r"(?:\S+ ){1,3}?(?:earnings|sales|savings|expenses|proceeds|costs|winnings|profits|wages|fees)\b"
)
_GAINING = re.compile(r"(?:have|earn|make|receive|get|save|raise|collect|win)$")
_REDUCED = re.compile(r"\b(?:reduc|discount|saving|increase|decrease|differ)")
_PLURAL = re.compile(r"^(?!additional)(?:.+ of .+|.*(?:s|people|children|men))$")
_LACKING = re.compile(r"\b(?:missing|lacks?|short|needs?)\b")
_PRICED = re.compile(r"\b(?:cost|price|pay|bill|charge)\b")
# Things that nobody puts into piles or baskets.
_BULKY = re.compile(
    r"tree|car|house|animal|dog|cat|cow|horse|sheep|goat|kitten|pupp|pet|rabbit|duck|chicken|bird|bike|table|chair|building|truck"
    r"|boat|room"
)
_DATE = re.compile(r"(?:the|his|her|its) (?:year|date|day|month|hour|number that)\b")
_UNITS = (
    "hours=60 minutes, minutes=60 seconds, weeks=7 days, feet=12 inches, yards=3 feet, kilometers=1000 meters"
    ", meters=100 centimeters, kilograms=1000 grams, pounds=16 ounces, liters=1000 milliliters"
    ", gallons=4 quarts"
)
_SMALLER = {unit: (part, int(count)) for unit, count, part in re.findall(r"(\w+)=(\d+) (\w+)", _UNITS)}
# Signs that `pounds` is money, not weight.
_STERLING = re.compile(r"£|\b(?:pence|sterling|costs?|spen[dt]|pays?|paid|earns?|price)\b")
_UNIT_ASKED = re.compile(rf"\b([Hh]ow many (?:more |total |additional )?)({'|'.join(_SMALLER)})\b(?! and)")
_RATE_ASKED = re.compile(
    r"\b([Hh]ow (?:many|much)\b[^.?!]*?),? (?:in total )?"
    r"(?:per|each|every|a|(?:with)?in (?:a|one|1)) (day|week|month|year)\?$"
)
# Words of a question whose rate may hold only for the time in the story, so it is not extended.
_BOUND = re.compile(
    r"\b(?:average|per|each|every|more|less|fewer|first|last|if|must|should|needs?|have to|has to)\b"
)
_AGE_ASKED = re.compile(
    r"\b([Hh])ow old is ((?:his|her|their|the|[A-Z][a-z]+'s) [a-z]+|[A-Z][a-z]+|he|she)"
    r"(?: now| today| currently| right now)?\?$"
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One more step: the new asking clause of the question, and the calculation that it adds."""

    fact: str  # a sentence to insert before the last one of the question; may be empty
    asking: str  # the new asking clause in lower case, without a question mark, to follow the old opening
    lines: tuple[str, ...]  # the lines that the solution gains, with calculator marks
    answer: Fraction


Conversion = tuple[str, str, Fraction]
"""A question with a new ending, the line that its solution gains, and the new answer."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The problem that an extension is made from."""

    asked: Asked
    answer: Fraction
    currency: str  # the currency sign as the question writes it, such as `$` or `Rs.`
    taken: frozenset[Fraction]
    """Values that the problem already has. A new number equal to one of them would be ambiguous."""
    text: str  # the whole question
    rng: random.Random

    @property
    def named(self) -> Named:
        return self.asked.named

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the counted things are gone or only wished for: they can't be sorted or given away."""
        return _OUT_OF_REACH.search(f"{self.named.verb} {self.named.relative}") is not None

    @property
    def is_lacking(self) -> bool:
        return _LACKING.search(f"{self.named.verb} {self.named.relative}") is not None

    @property
    def is_spending(self) -> bool:
        head = f"{self.named.verb} {' '.join((self.named.relative or self.named.phrase).split()[:6])}"
        return _SPENDING.search(head) is not None and not _GAINING.match(self.named.verb)

    @property
    def be(self) -> str:
        return "are" if _PLURAL_AMOUNT.match(self.named.phrase) else "is"

    @property
    def around(self) -> tuple[str, str]:
        """The text after a value of the answer's kind (` clips`) and the text before it (`$`)."""
        noun, is_money = self.named.noun, self.named.kind is Kind.MONEY
        return f" {noun}" if noun else "", self.currency if is_money else ""

    def pick(self, numbers: Sequence[int]) -> int | None:
        """Return a random one of the numbers that the problem does not have yet; None if there is none."""
        free = [number for number in numbers if number not in self.taken and number != self.answer]
        return self.rng.choice(free) if free else None

    def divisor(self, low: int, high: int) -> int | None:
        """Return a number that divides the answer into shares above 1, whole or in whole cents, or None."""
        whole = self.answer if self.answer.denominator == 1 else self.answer * 100
        if whole.denominator > 1:
            return None
        return self.pick([n for n in range(low, high + 1) if whole % n == 0 and self.answer / n > 1])

    def step(
        self, before: str, sign: Sign, number: Number, after: str = "", unit: str = ""
    ) -> tuple[str, Fraction]:
        """Return `Each has 36 / 2 = <<36/2=18>>18 clips.`, a line that continues from the answer, and 18."""
        return line(before, self.answer, sign, Fraction(number), after, unit)

    def share(self, what: str, unit: str = "") -> tuple[int, Fraction, str] | None:
        """Return a percentage, that share of the answer (whole, or in cents), and the line for it."""
        cents = 100 if unit and self.answer.denominator > 1 else 1
        percent = self.pick([p for p in SHARES if (self.answer * p / 100 * cents).denominator == 1])
        if percent is None:
            return None
        part = self.answer * percent / 100
        mark = f"<<{write_plain(self.answer)}*{percent}/100={write_plain(part)}>>"
        result = f"{unit}{mark}{_amount(part, unit).removeprefix(unit)}"
        return percent, part, f"{what} {_amount(self.answer, unit)} * {percent}/100 = {result}."


def line(
    before: str, left: Fraction, sign: Sign, right: Fraction, after: str = "", unit: str = ""
) -> tuple[str, Fraction]:
    """Return a line with a calculator mark, and its value; `unit` is the currency sign of the amounts."""
    value = OPERATORS[sign](left, right)
    mark = f"<<{write_plain(left)}{sign}{write_plain(right)}={write_plain(value)}>>"
    two = _amount(right, unit) if sign in "+-" else write_plain(right)
    shown = _amount(value, unit).removeprefix(unit)
    return f"{before} {_amount(left, unit)} {sign} {two} = {unit}{mark}{shown}{after}.", value


def _amount(value: Fraction, unit: str) -> str:
    """Write an amount: `$2.50`, `$3`, or only the number without a unit."""
    return f"{unit}{write_plain(value)}{'0' if unit and decimal_places(value) == 1 else ''}"


def extend(setting: Setting) -> Iterator[Extension]:
    """Yield further steps, those for the kind of number asked for first; the order is random otherwise."""
    if setting.answer <= 1 or setting.named.noun == "times":
        return
    for makers in _MAKERS[setting.named.kind]:
        for maker in setting.rng.sample(makers, len(makers)):
            if extension := maker(setting):
                yield extension


def _cost_each(setting: Setting) -> Extension | None:
    noun = setting.named.noun
    head = noun.split(" of ")[0].split()[-1].lower()
    price = setting.pick(range(2, 10))
    told_before = re.search(rf"\b{head}\b", setting.asked.story, re.IGNORECASE)
    if price is None or setting.named.is_shared or head not in LISTS["small_goods"] or not told_before:
        return None
    cost, total = line(f"At ${price} each, the {noun} cost", Fraction(price), "*", setting.answer, unit="$")
    fact = f"Each of these {noun} costs ${price}."
    return Extension(fact, f"what is the total cost of {setting.named.those}", (cost,), total)


def _groups(setting: Setting) -> Extension | None:
    count, noun = setting.divisor(2, 12), setting.named.noun
    if count is None or setting.named.is_shared or setting.is_out_of_reach:
        return None
    if setting.named.kind is Kind.PEOPLE:
        verb, group = "split up", "team"
    else:
        verb = "sorted"
        group = "group" if _BULKY.search(noun) else setting.rng.choice(("group", "pile", "basket"))
    told, each = setting.step(f"Each {group} has", "/", count, f" {noun}")
    fact = f"if {setting.named.those} are {verb} evenly into {count} {group}s"
    return Extension("", f"{fact}, how many {noun} are in each {group}", (told,), each)


def _remain(setting: Setting) -> Extension | None:
    """Some of the people share a trait, or some of the things are given away: how many are the rest?"""
    if setting.named.is_shared or setting.is_out_of_reach:
        return None
    noun = setting.named.noun
    if setting.named.kind is Kind.PEOPLE:
        part, does, rest = setting.rng.choice(_TRAITS)
    else:
        part, does, rest = "given away", "are given away", "remain"
    if does.split()[-1] in setting.text:
        return None
    share = setting.share(f"The number of {noun} {part} is")
    if share is None:
        return None
    last, left = setting.step("This leaves", "-", share[1], f" {noun}")
    asking = f"if {share[0]}% of {setting.named.those} {does}, how many of the {noun} {rest}"
    return Extension("", asking, (share[2], last), left)


def _need(setting: Setting) -> Extension | None:
    count, item = setting.pick(range(2, 7)), setting.rng.choice(_ITEMS)
    if count is None or setting.named.is_shared or item in setting.text:
        return None
    told, total = setting.step("They need", "*", count, f" {item}")
    asking = f"if each of {setting.named.those} gets {count} {item}, how many {item} are needed"
    return Extension("", asking, (told,), total)


def _another_person(setting: Setting) -> Extension | None:
    """Another person has more, fewer, or several times as many."""
    if not _OWNING.match(setting.named.verb):
        return None
    noun, phrase = setting.named.noun, setting.named.phrase
    # The pronouns of the question must not refer to the newcomer.
    pronoun = re.search(r"\b(?:he|his|him|she|her)\b", setting.named.relative)
    name = other_name(setting.text, setting.rng)
    while pronoun and gender(name) == ("f" if pronoun[0] in ("she", "her") else "m"):
        name = other_name(setting.text, setting.rng)
    sign: Sign
    if setting.rng.random() < 0.5:
        number = setting.pick(range(2, 6))
        sign, told = "*", f"{_times(number or 0)} {phrase}"
    else:
        number = setting.pick(range(3, max(4, min(int(setting.answer), 60))))
        more = setting.rng.random() < 0.5 or setting.answer <= (number or 0) + 1
        sign, told = "+" if more else "-", f"{number} {'more' if more else 'fewer'} {noun} than {phrase}"
    if number is None:
        return None
    has, value = setting.step(f"{name} has", sign, number, f" {noun}")
    return Extension("", f"if {name} has {told}, how many {noun} does {name} have", (has,), value)


def _times(factor: int) -> str:
    return "twice" if factor == 2 else f"{factor} times"


def _set_aside(setting: Setting) -> Extension | None:
    """A share of earnings is set aside, or a friend pays a share of the expenses: how much is left?"""
    if setting.named.is_shared or setting.is_lacking:
        return None
    use = setting.rng.choice(_USES)
    spending = setting.is_spending
    share = setting.share("The friend covers" if spending else f"The part {use} is", setting.currency)
    if share is None:
        return None
    part = f"{share[0]}% of {setting.named.phrase}"
    fact = f"if a friend covers {part}" if spending else f"if {part} {setting.be} {use}"
    rest, asked = ("left to pay", "is left to pay") if spending else ("left", "money remains")
    last, left = setting.step(f"What is {rest} is", "-", share[1], unit=setting.currency)
    return Extension("", f"{fact}, how much {asked}", (share[2], last), left)


def _split_money(setting: Setting) -> Extension | None:
    count, verb = setting.divisor(2, 8), "pay" if setting.is_spending else "get"
    if count is None or setting.named.is_shared or setting.is_lacking:
        return None
    told, each = setting.step(f"Each of them {verb}s", "/", count, unit=setting.currency)
    fact = f"if {setting.named.phrase} {setting.be} shared equally by {count} people"
    return Extension("", f"{fact}, how much does each of them {verb}", (told,), each)


def _discount(setting: Setting) -> Extension | None:
    text = f"{setting.named.verb} {setting.named.phrase}"
    if setting.named.is_shared or not _PRICED.search(text) or _REDUCED.search(text):
        return None
    share = setting.share("The coupon takes off", setting.currency)
    if share is None:
        return None
    last, left = setting.step("What is left to pay is", "-", share[1], unit=setting.currency)
    fact = f"if a coupon takes {share[0]}% off {setting.named.phrase}"
    return Extension("", f"{fact}, how much is left to pay", (share[2], last), left)


def _multiplied(setting: Setting) -> Extension | None:
    """What the number would be if it were several times as large. Fits everything except dates."""
    factor = setting.pick(range(2, 7))
    if factor is None or _DATE.match(setting.named.phrase):
        return None
    told, value = setting.step("It would be", "*", factor, *setting.around)
    asking = f"if {setting.named.phrase} were {_times(factor)} as large, what would it be"
    return Extension("", asking, (told,), value)


def _changed(setting: Setting) -> Extension | None:
    """What the number would be if it were some percent larger or smaller. Fits everything except dates."""
    after, unit = setting.around
    share = setting.share("The change is", unit)
    if share is None or _DATE.match(setting.named.phrase):
        return None
    smaller = setting.rng.random() < 0.5
    told, value = setting.step("It would be", "-" if smaller else "+", share[1], after, unit)
    change = f"{share[0]}% {'smaller' if smaller else 'larger'}"
    asking = f"if {setting.named.phrase} were {change}, what would it be"
    return Extension("", asking, (share[2], told), value)


def _short_of(setting: Setting) -> Extension | None:
    """By how much the number falls short of a round number above it."""
    whole = int(setting.answer)
    grain = 10 ** (len(str(whole)) - 1)
    goal = setting.pick([(whole // grain + more) * grain for more in range(1, 5)])
    after, unit = setting.around
    counted = _CURRENCIES.get(unit, setting.named.noun)
    if goal is None or goal <= setting.answer or not _PLURAL.search(counted):
        return None
    told, value = line("The difference is", Fraction(goal), "-", setting.answer, after, unit)
    asking = f"by how many {counted} does {setting.named.phrase} fall short of {unit}{goal}"
    return Extension("", asking, (told,), value)


Maker = Callable[[Setting], Extension | None]
_GENERAL: list[Maker] = [_multiplied, _changed, _short_of]
_MAKERS: dict[Kind, tuple[list[Maker], ...]] = {
    Kind.THINGS: ([_cost_each, _groups, _remain, _another_person], _GENERAL),
    Kind.PEOPLE: ([_groups, _remain, _need], _GENERAL),
    Kind.MONEY: ([_set_aside, _split_money, _discount], _GENERAL),
    Kind.MEASURE: (_GENERAL,),
    Kind.OTHER: (_GENERAL,),
}


def convert(question: str, answer: Fraction, rng: random.Random) -> Iterator[Conversion]:
    """Yield the conversions that fit the wording of the question; `answer` is its present answer."""
    for maker in (_in_smaller_units, _over_time, _in_years):
        if found := maker(question, answer, rng):
            yield found


def _in_smaller_units(question: str, answer: Fraction, _: random.Random) -> Conversion | None:
    matches = list(_UNIT_ASKED.finditer(question))
    if len(matches) != 1 or question.count("?") != 1:
        return None
    match = matches[0]
    smaller, factor = _SMALLER[match[2]]
    if re.search(rf"\b{smaller}\b", question) or "?" not in question[match.end() :]:
        return None
    if match[2] == "pounds" and _STERLING.search(question):
        return None
    text = question[: match.start(2)] + smaller + question[match.end(2) :]
    return text, *line(f"In {smaller} that is", answer, "*", Fraction(factor), f" {smaller}")


def _over_time(question: str, answer: Fraction, rng: random.Random) -> Conversion | None:
    match = _RATE_ASKED.search(question)
    if match is None or _BOUND.search(match[1]):
        return None
    story = question[: match.start()]
    if re.search(rf"\b{match[2]}s\b", story):  # the story has a period of its own that the rate belongs to
        return None
    unit, count = match[2], _unused(range(2, 10), question, rng)
    text = f"{story}{match[1]} in {count} {unit}s?"
    currency = re.search(CURRENCY, question) if "much" in match[1] else None
    sign = currency[0] if currency else ""
    one, value = write_plain(answer), write_plain(answer * count)
    made = f"{sign}{one} * {count} = {sign}<<{one}*{count}={value}>>{value}"
    return text, f"In {count} {unit}s that makes {made}.", answer * count


def _in_years(question: str, answer: Fraction, rng: random.Random) -> Conversion | None:
    match = _AGE_ASKED.search(question)
    if match is None or answer.denominator > 1:
        return None
    years = _unused(range(3, 16), question, rng)
    if answer + years > MOST_YEARS:
        return None
    text = f"{question[: match.start()]}{match[1]}ow old will {match[2]} be in {years} years?"
    return text, *line(f"In {years} years the age will be", answer, "+", Fraction(years))


def _unused(numbers: range, question: str, rng: random.Random) -> int:
    """Return a random one of `numbers` that does not stand in the question, or 17 where all of them do."""
    return rng.choice([number for number in numbers if not re.search(rf"\b{number}\b", question)] or [17])
