"""Further steps: what else can be asked about the answer of a problem."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agents.symbolic.asking import Asked, Named
from agents.symbolic.derivation import OPERATORS, Sign
from agents.symbolic.names import gender, other_name
from agents.symbolic.nouns import Kind
from agents.symbolic.numbers import decimal_places, write_plain


@dataclass(frozen=True, slots=True)
class Extension:
    """One more step: what replaces the asking of the question, and the reckoning that it adds."""

    fact: str
    """A sentence that goes before the last one; may be empty."""
    asking: str
    """The new question without its question mark, in lower case, to stand after the old opening."""
    lines: tuple[str, ...]
    """What the solution gains, with calculator marks."""
    answer: Fraction


@dataclass(frozen=True, slots=True)
class Setting:
    """What an extension is made from."""

    asked: Asked
    answer: Fraction
    currency: str
    """`$`, `€` or `£` for money, else empty."""
    taken: frozenset[Fraction]
    """Values that the problem already has; a new number that equals one of them would be ambiguous."""
    text: str
    rng: random.Random

    @property
    def named(self) -> Named:
        return self.asked.named

    @property
    def is_out_of_reach(self) -> bool:
        """Whether what is counted is gone, or only wished for: nobody can sort or give it away any more."""
        return _OUT_OF_REACH.search(f"{self.named.verb} {self.named.relative}") is not None

    def pick(self, numbers: Sequence[int]) -> int | None:
        """One of the numbers that the problem does not have yet."""
        free = [number for number in numbers if number not in self.taken and number != self.answer]
        return self.rng.choice(free) if free else None


Maker = Callable[[Setting], Extension | None]


def extend(setting: Setting) -> Iterator[Extension]:
    """Further steps that fit what is asked for, the most natural ones first, in random order among equals."""
    if setting.answer <= 1:
        return
    for makers in _MAKERS[setting.named.kind]:
        for maker in setting.rng.sample(makers, len(makers)):
            extension = maker(setting)
            if extension is not None:
                yield extension


def _line(
    before: str, left: Fraction, sign: Sign, right: Fraction, after: str, unit: str = ""
) -> tuple[str, Fraction]:
    """`Each has 36 / 2 = <<36/2=18>>18 clips.` and the value; `unit` is the currency of money."""
    value = OPERATORS[sign](left, right)
    mark = f"<<{write_plain(left)}{sign}{write_plain(right)}={write_plain(value)}>>"
    one = f"{unit}{_write(left, bool(unit))}"
    two = f"{unit}{_write(right, bool(unit))}" if sign in "+-" else write_plain(right)
    return f"{before} {one} {sign} {two} = {unit}{mark}{_write(value, bool(unit))}{after}.", value


def _write(value: Fraction, is_money: bool) -> str:
    plain = write_plain(value)
    if is_money and value.denominator > 1 and decimal_places(value) == 1:
        return plain + "0"
    return plain


def _divisors(value: Fraction, low: int = 2, high: int = 10) -> list[int]:
    if value.denominator > 1:
        return []
    return [number for number in range(low, high + 1) if value % number == 0 and value / number > 1]


def _percentages(value: Fraction, *, cents: bool = False) -> list[int]:
    """Percentages of which the share comes out whole (or, with `cents`, in whole cents)."""
    places = 100 if cents and value.denominator > 1 else 1
    return [p for p in (10, 20, 25, 30, 40, 60, 75) if (value * p / 100 * places).denominator == 1]


def _share(setting: Setting, what: str, unit: str = "") -> tuple[int, Fraction, str] | None:
    percent = setting.pick(_percentages(setting.answer, cents=bool(unit)))
    if percent is None:
        return None
    part = setting.answer * percent / 100
    whole = write_plain(setting.answer)
    mark = f"<<{whole}*{percent}/100={write_plain(part)}>>"
    shown = _write(part, bool(unit))
    return percent, part, f"{what} {unit}{whole} * {percent}/100 = {unit}{mark}{shown}."


def _cost_each(setting: Setting) -> Extension | None:
    head = re.split(r" (?:of|with) ", setting.named.noun)[
        -1 if "slices" in setting.named.noun else 0
    ].split()[-1]
    price = setting.pick(range(2, 10))
    if head.lower() not in _SMALL_GOODS or setting.named.is_shared or price is None:
        return None
    if not re.search(rf"\b{head}\b", setting.asked.story, re.IGNORECASE):
        return None
    line, total = _line(
        f"The {setting.named.noun} cost", setting.answer, "*", Fraction(price), " in total", "$"
    )
    line = line.replace(f"cost ${write_plain(setting.answer)} *", f"cost {write_plain(setting.answer)} *")
    asking = f"what is the total cost of {setting.named.those}"
    return Extension(f"Each of these {setting.named.noun} costs ${price}.", asking, (line,), total)


def _groups(setting: Setting) -> Extension | None:
    count = setting.pick(_divisors(setting.answer, 2, 12))
    if count is None or setting.named.is_shared or setting.is_out_of_reach:
        return None
    people = setting.named.kind is Kind.PEOPLE
    group = "teams" if people else setting.rng.choice(["groups", "piles", "boxes"])
    if re.search(_BULKY, setting.named.noun):
        group = "groups"
    noun = setting.named.noun
    verb = "split up evenly" if people else "sorted evenly"
    line, each = _line(f"Each of the {group} has", setting.answer, "/", Fraction(count), f" {noun}")
    asking = f"if {setting.named.those} are {verb} into {count} {group}, how many {noun} are in each"
    asking += " team" if people else f" {group.removesuffix('es' if group == 'boxes' else 's')}"
    return Extension("", asking, (line,), each)


def _remain(setting: Setting) -> Extension | None:
    if setting.named.is_shared or setting.is_out_of_reach:
        return None
    people = setting.named.kind is Kind.PEOPLE
    noun, them = setting.named.noun, setting.named.those
    shared = _share(setting, f"The number of {noun} {'with glasses' if people else 'given away'} is")
    if shared is None:
        return None
    percent, part, first = shared
    last, rest = _line("This leaves", setting.answer, "-", part, f" {noun}")
    told = f"{percent}% of {them} " + ("wear glasses" if people else "are given away")
    asking = f"if {told}, how many of the {noun} " + ("do not wear glasses" if people else "remain")
    return Extension("", asking, (first, last), rest)


def _need(setting: Setting) -> Extension | None:
    if setting.named.is_shared:
        return None
    count = setting.pick(range(2, 7))
    if count is None:
        return None
    item = setting.rng.choice(["tickets", "stickers", "balloons", "pencils", "bottles of water", "cookies"])
    if item in setting.text:
        return None
    line, total = _line("They need", setting.answer, "*", Fraction(count), f" {item}")
    asking = f"if each of {setting.named.those} gets {count} {item}, how many {item} are needed"
    return Extension("", asking, (line,), total)


def _another_person(setting: Setting) -> Extension | None:
    """Somebody else has more, fewer, or several times as many."""
    if not re.match(
        r"(?:have|collect|own|buy|get|receive|make|catch|pick|find|sell|bake|read|win)$", setting.named.verb
    ):
        return None
    name, noun = _newcomer(setting), setting.named.noun
    times = setting.rng.random() < 0.5
    number = setting.pick(range(2, 6) if times else range(3, max(4, min(int(setting.answer), 60))))
    if number is None:
        return None
    if times:
        line, value = _line(f"{name} has", setting.answer, "*", Fraction(number), f" {noun}")
        told = f"{_times(number)} {setting.named.phrase}"
    else:
        more = setting.rng.random() < 0.5 or setting.answer <= number + 1
        line, value = _line(f"{name} has", setting.answer, "+" if more else "-", Fraction(number), f" {noun}")
        told = f"{number} {'more' if more else 'fewer'} {noun} than {setting.named.phrase}"
    return Extension("", f"if {name} has {told}, how many {noun} does {name} have", (line,), value)


def _newcomer(setting: Setting) -> str:
    """Somebody whom the pronouns of the question cannot mean."""
    pronoun = re.search(r"\b(he|his|him|she|her)\b", setting.named.relative)
    name = other_name(setting.text, setting.rng)
    while pronoun and gender(name) == ("m" if pronoun[1][0] == "h" and pronoun[1] != "her" else "f"):
        name = other_name(setting.text, setting.rng)
    return name


def _times(factor: int) -> str:
    return "twice" if factor == 2 else f"{factor} times"


def _set_aside(setting: Setting) -> Extension | None:
    if setting.named.is_shared:
        return None
    phrase = setting.named.phrase
    if _is_spending(setting):
        percent, part, first = _share(setting, "The friend covers", setting.currency) or (0, Fraction(0), "")
        told, last = f"a friend covers {{}}% of {phrase}, how much is left to pay", "What is left to pay is"
    else:
        use = setting.rng.choice(["put into savings", "given to charity", "spent on a gift"])
        percent, part, first = _share(setting, f"The part that is {use} is", setting.currency) or (
            0,
            Fraction(0),
            "",
        )
        told, last = f"{{}}% of {phrase} is {use}, how much money remains", "What remains is"
    if not percent:
        return None
    line, rest = _line(last, setting.answer, "-", part, "", setting.currency)
    return Extension("", "if " + told.format(percent), (first, line), rest)


def _is_spending(setting: Setting) -> bool:
    head = setting.named.verb or " ".join(setting.named.phrase.split()[:5])
    return re.search(_SPENDING, head) is not None


def _split_money(setting: Setting) -> Extension | None:
    if setting.named.is_shared:
        return None
    cents = setting.answer * 100
    count = setting.pick(
        [
            n
            for n in range(2, 9)
            if (cents / n).denominator == 1 and (setting.answer.denominator > 1 or setting.answer % n == 0)
        ]
    )
    if count is None:
        return None
    verb, does = ("pay", "each of them pay") if _is_spending(setting) else ("get", "each of them get")
    line, each = _line(f"Each of them {verb}s", setting.answer, "/", Fraction(count), "", setting.currency)
    asking = f"if {setting.named.phrase} is shared equally by {count} people, how much does {does}"
    return Extension("", asking, (line,), each)


def _discount(setting: Setting) -> Extension | None:
    if not re.search(r"\b(?:cost|price|pay|bill|charge)\b", f"{setting.named.verb} {setting.named.phrase}"):
        return None
    shared = _share(setting, "The coupon takes off", setting.currency)
    if shared is None or setting.named.is_shared:
        return None
    percent, part, first = shared
    last, rest = _line("What is left to pay is", setting.answer, "-", part, "", setting.currency)
    asking = f"if a coupon takes {percent}% off {setting.named.phrase}, how much is left to pay"
    return Extension("", asking, (first, last), rest)


def _scaled(setting: Setting) -> Extension | None:
    """What the number would be if it were larger or smaller: fits everything but dates."""
    if re.match(r"(?:the|his|her|its) (?:year|date|day|month|hour|number that)\b", setting.named.phrase):
        return None
    phrase, noun = setting.named.phrase, setting.named.noun
    unit = setting.currency if setting.named.kind is Kind.MONEY else ""
    after = f" {noun}" if noun else ""
    if setting.rng.random() < 0.5:
        factor = setting.pick(range(2, 7))
        if factor is None:
            return None
        line, value = _line("It would be", setting.answer, "*", Fraction(factor), after, unit)
        return Extension("", f"if {phrase} were {_times(factor)} as large, what would it be", (line,), value)
    smaller = setting.rng.random() < 0.5
    shared = _share(setting, "The change is", unit)
    if shared is None:
        return None
    percent, part, first = shared
    last, value = _line("It would be", setting.answer, "-" if smaller else "+", part, after, unit)
    told = f"{percent}% {'smaller' if smaller else 'larger'}"
    return Extension("", f"if {phrase} were {told}, what would it be", (first, last), value)


def _short_of(setting: Setting) -> Extension | None:
    """How far the number is from a round one above it."""
    named, whole = setting.named, int(setting.answer)
    grain = 10 ** (len(str(whole)) - 1)
    goal = setting.pick([(whole // grain + more) * grain for more in range(1, 5)])
    if goal is None or goal <= setting.answer or (not named.noun and named.kind is not Kind.MONEY):
        return None
    unit = setting.currency if named.kind is Kind.MONEY else ""
    noun = {"$": "dollars", "€": "euros", "£": "pounds"}[unit] if unit else named.noun
    line, value = _line(
        "The difference is", Fraction(goal), "-", setting.answer, "" if unit else f" {noun}", unit
    )
    asking = f"by how many {noun} does {named.phrase} fall short of {unit}{goal}"
    return Extension("", asking, (line,), value)


_OUT_OF_REACH = re.compile(
    r"\b(?:eats?|ate|eaten|sells?|sold|uses?|used|drinks?|drank|drunk|loses?|lost|gives?|gave|given|donate[sd]?"
    r"|breaks?|broken?|kill\w*|burn\w*|throws?|threw|thrown|consum\w+|spen\w+|miss\w*|needs?|needed|wants?|would"
    r"|should|must|can|could|have to|has to|to \w+|read|watch\w*|remove[sd]?|die[sd]?|sees?|saw|slain|slew"
    r"|count\w*|serve[sd]?|ship\w*|deliver\w*|return\w*|answer\w*|play\w*|visit\w*|crash\w*|pop\w*)\b"
)
_SPENDING = (
    r"\b(?:costs?|spends?|spent|pays?|paid|price|bill|owe[sd]?|charge\w*|expenses?|rent|fee|fine|tax)\b"
)
_BULKY = (
    r"tree|car|house|animal|dog|cat|cow|horse|sheep|goat|duck|chicken|bird|bike|table|chair|building|truck"
    r"|boat|room"
)
_SMALL_GOODS_WORDS = (
    "apples oranges bananas lemons mangoes peaches pears plums books notebooks pencils pens crayons markers "
    "erasers cookies cupcakes cakes pies donuts doughnuts muffins brownies loaves candies lollipops "
    "chocolates stickers cards marbles balls balloons toys dolls blocks beads bracelets necklaces buttons "
    "candles flowers roses tulips plants bottles cans cups plates bowls boxes bags packs packages jars "
    "cartons tickets stamps shirts hats scarves socks towels pizzas sandwiches hotdogs burgers tacos eggs "
    "potatoes tomatoes onions carrots cucumbers pumpkins watermelons melons seashells shells posters "
    "envelopes folders bulbs seeds sodas juices magazines comics bouquets baskets clips pins ribbons"
)
_SMALL_GOODS = frozenset(_SMALL_GOODS_WORDS.split())
_MAKERS: dict[Kind, tuple[list[Maker], ...]] = {
    Kind.THINGS: ([_cost_each, _groups, _remain, _another_person], [_scaled, _short_of]),
    Kind.PEOPLE: ([_groups, _remain, _need], [_scaled, _short_of]),
    Kind.MONEY: ([_set_aside, _split_money, _discount], [_scaled, _short_of]),
    Kind.MEASURE: ([_scaled, _short_of],),
    Kind.OTHER: ([_scaled, _short_of],),
}
