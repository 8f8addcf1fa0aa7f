"""Proposes further steps: what else can be asked about the answer of a problem.

`How many clips did Natalia sell altogether in April and May?` with the answer 72 gives, among others,
`Each of these clips costs $9. What is the total cost of the clips Natalia sold altogether in April and May?`
(9 * 72 = 648) and `By how many clips does the number of clips Natalia sold ... fall short of 110?` (38).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from fdd.agents.symbolic.derivation import Sign
from fdd.agents.symbolic.varying.extension import Extension, Setting, line
from fdd.agents.symbolic.wording.names import gender, other_name
from fdd.agents.symbolic.wording.nouns import Kind

Maker = Callable[[Setting], Extension | None]

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
# Things whose price may be a few dollars each.
_SMALL_GOODS_WORDS = (
    "apples oranges bananas lemons mangoes peaches pears plums books notebooks pencils pens crayons markers "
    "erasers cookies cupcakes cakes pies donuts doughnuts muffins brownies loaves candies lollipops "
    "chocolates stickers cards marbles balls balloons toys dolls beads bracelets necklaces buttons candles "
    "flowers roses tulips plants bottles cans cups plates bowls boxes bags packs packages jars cartons "
    "tickets stamps shirts hats scarves socks towels pizzas sandwiches hotdogs burgers tacos eggs potatoes "
    "tomatoes onions carrots cucumbers pumpkins watermelons melons seashells shells posters envelopes "
    "folders bulbs seeds sodas juices magazines comics bouquets baskets clips pins ribbons"
)
_SMALL_GOODS = frozenset(_SMALL_GOODS_WORDS.split())


def extend(setting: Setting) -> Iterator[Extension]:
    """Yield further steps that fit the number asked for.

    Steps specific to its kind come first, general ones last; the order within each group is random.
    """
    if setting.answer <= 1 or setting.named.noun == "times":
        return
    for makers in _MAKERS[setting.named.kind]:
        for maker in setting.rng.sample(makers, len(makers)):
            extension = maker(setting)
            if extension is not None:
                yield extension


def _cost_each(setting: Setting) -> Extension | None:
    noun = setting.named.noun
    head = noun.split(" of ")[0].split()[-1].lower()
    price = setting.pick(range(2, 10))
    told_before = re.search(rf"\b{head}\b", setting.asked.story, re.IGNORECASE)
    if price is None or setting.named.is_shared or head not in _SMALL_GOODS or not told_before:
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
    last, left = setting.step("This leaves", "-", share.part, f" {noun}")
    asking = f"if {share.percent}% of {setting.named.those} {does}, how many of the {noun} {rest}"
    return Extension("", asking, (share.line, last), left)


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
    name, noun, phrase = _newcomer(setting), setting.named.noun, setting.named.phrase
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


def _newcomer(setting: Setting) -> str:
    """Return a name that the pronouns of the question cannot refer to."""
    pronoun = re.search(r"\b(?:he|his|him|she|her)\b", setting.named.relative)
    name = other_name(setting.text, setting.rng)
    while pronoun and gender(name) == ("f" if pronoun[0] in ("she", "her") else "m"):
        name = other_name(setting.text, setting.rng)
    return name


def _times(factor: int) -> str:
    return "twice" if factor == 2 else f"{factor} times"


def _set_aside(setting: Setting) -> Extension | None:
    """A share of earnings is set aside, or a friend pays a share of the expenses: how much is left?"""
    if setting.named.is_shared or _LACKING.search(f"{setting.named.verb} {setting.named.relative}"):
        return None
    use = setting.rng.choice(_USES)
    spending = _is_spending(setting)
    share = setting.share("The friend covers" if spending else f"The part {use} is", setting.currency)
    if share is None:
        return None
    part = f"{share.percent}% of {setting.named.phrase}"
    fact = f"if a friend covers {part}" if spending else f"if {part} {_be(setting)} {use}"
    rest, asked = ("left to pay", "is left to pay") if spending else ("left", "money remains")
    last, left = setting.step(f"What is {rest} is", "-", share.part, unit=setting.currency)
    return Extension("", f"{fact}, how much {asked}", (share.line, last), left)


def _be(setting: Setting) -> str:
    return "are" if _PLURAL_AMOUNT.match(setting.named.phrase) else "is"


def _is_spending(setting: Setting) -> bool:
    named = setting.named
    head = f"{named.verb} {' '.join((named.relative or named.phrase).split()[:6])}"
    return _SPENDING.search(head) is not None and not _GAINING.match(named.verb)


def _split_money(setting: Setting) -> Extension | None:
    count, verb = setting.divisor(2, 8), "pay" if _is_spending(setting) else "get"
    lacking = _LACKING.search(f"{setting.named.verb} {setting.named.relative}")
    if count is None or setting.named.is_shared or lacking:
        return None
    told, each = setting.step(f"Each of them {verb}s", "/", count, unit=setting.currency)
    fact = f"if {setting.named.phrase} {_be(setting)} shared equally by {count} people"
    return Extension("", f"{fact}, how much does each of them {verb}", (told,), each)


def _discount(setting: Setting) -> Extension | None:
    text = f"{setting.named.verb} {setting.named.phrase}"
    if setting.named.is_shared or not _PRICED.search(text) or _REDUCED.search(text):
        return None
    share = setting.share("The coupon takes off", setting.currency)
    if share is None:
        return None
    last, left = setting.step("What is left to pay is", "-", share.part, unit=setting.currency)
    fact = f"if a coupon takes {share.percent}% off {setting.named.phrase}"
    return Extension("", f"{fact}, how much is left to pay", (share.line, last), left)


def _multiplied(setting: Setting) -> Extension | None:
    """What the number would be if it were several times as large. Fits everything except dates."""
    factor = setting.pick(range(2, 7))
    if factor is None or _DATE.match(setting.named.phrase):
        return None
    told, value = setting.step("It would be", "*", factor, *_unit(setting))
    asking = f"if {setting.named.phrase} were {_times(factor)} as large, what would it be"
    return Extension("", asking, (told,), value)


def _changed(setting: Setting) -> Extension | None:
    """What the number would be if it were some percent larger or smaller. Fits everything except dates."""
    after, unit = _unit(setting)
    share = setting.share("The change is", unit)
    if share is None or _DATE.match(setting.named.phrase):
        return None
    smaller = setting.rng.random() < 0.5
    told, value = setting.step("It would be", "-" if smaller else "+", share.part, after, unit)
    change = f"{share.percent}% {'smaller' if smaller else 'larger'}"
    asking = f"if {setting.named.phrase} were {change}, what would it be"
    return Extension("", asking, (share.line, told), value)


def _unit(setting: Setting) -> tuple[str, str]:
    """Return the text after a value of the answer's kind (` clips`) and the text before it (`$`)."""
    noun, is_money = setting.named.noun, setting.named.kind is Kind.MONEY
    return f" {noun}" if noun else "", setting.currency if is_money else ""


def _short_of(setting: Setting) -> Extension | None:
    """By how much the number falls short of a round number above it."""
    whole = int(setting.answer)
    grain = 10 ** (len(str(whole)) - 1)
    goal = setting.pick([(whole // grain + more) * grain for more in range(1, 5)])
    after, unit = _unit(setting)
    counted = _CURRENCIES.get(unit, setting.named.noun)
    if goal is None or goal <= setting.answer or not _PLURAL.search(counted):
        return None
    told, value = line("The difference is", Fraction(goal), "-", setting.answer, after, unit)
    asking = f"by how many {counted} does {setting.named.phrase} fall short of {unit}{goal}"
    return Extension("", asking, (told,), value)


_GENERAL: list[Maker] = [_multiplied, _changed, _short_of]
_MAKERS: dict[Kind, tuple[list[Maker], ...]] = {
    Kind.THINGS: ([_cost_each, _groups, _remain, _another_person], _GENERAL),
    Kind.PEOPLE: ([_groups, _remain, _need], _GENERAL),
    Kind.MONEY: ([_set_aside, _split_money, _discount], _GENERAL),
    Kind.MEASURE: (_GENERAL,),
    Kind.OTHER: (_GENERAL,),
}
