"""Classifies what a noun counts, which decides which further questions make sense.

`boxes of red pens` are things (they can be sorted), `students` are people (they can form teams), `hours` are
a measure, and `points` are none of these.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing a number counts or measures."""

    THINGS = "things"
    """Countable things that can be touched."""
    PEOPLE = "people"
    MONEY = "money"
    MEASURE = "measure"
    """An amount in a unit: hours, miles, pounds."""
    OTHER = "other"
    """Anything else that is counted or measured: points, votes, times; also cars and houses."""


_UNITS_WORDS = (
    "second minute hour day week month year mile foot feet inch yard kilometer meter centimeter millimeter "
    "km cm pound ounce kilogram gram kg ton gallon liter litre quart pint cup tablespoon teaspoon "
    "milliliter ml calorie gigabyte megabyte degree acre square kilo milligram cubic"
)
_UNITS = frozenset(_UNITS_WORDS.split())
_PEOPLE_WORDS = (
    "people person student child children kid girl boy man men woman women friend passenger customer adult "
    "employee guest member player parent worker teacher camper attendee visitor patient follower resident "
    "voter soldier fan senior freshman freshmen sophomore junior graduate neighbor classmate tourist "
    "boarder applicant candidate diner runner skier swimmer dancer musician singer citizen villager male "
    "female pirate nurse engineer officer buyer shopper client user driver rider robber reader hunter "
    "farmer gamer waiter actor author doctor lawyer artist tourist pupil adult teenager toddler baby babies "
    "twin couple team volunteer donor contestant competitor finalist winner hiker camper caller agent guard "
    "sailor knight orphan veteran investor tenant delegate participant cousin sibling brother sister son "
    "daughter grandchildren partner roommate colleague coworker manager scout coach judge leader prisoner "
    "local survivor vendor seller astronaut researcher scientist programmer intern recruit"
)
_PEOPLE = frozenset(_PEOPLE_WORDS.split())
_ABSTRACT_WORDS = (
    "complaint vehicle car truck train flight point vote time way goal hit run step jump lap turn mistake "
    "problem question answer view like email message text word letter page game match round trip episode "
    "level score touchdown subscriber percent dollar cent kind type pair more much set square side leg "
    "wheel eye tail finger toe song movie show class lesson serving meal skip call push-up pushup sit-up "
    "situp rep mark spot stripe line corner push sit combination possibility option hundredth nap vibration "
    "beat stop flight floor room house building night session shift load batch bunch group row column rung "
    "spoke scale degree fraction ratio acre inning state country city town street ward bed seat plot field "
    "window wall insect bug bee ant wasp fly worm bird fish"
)
_ABSTRACT = frozenset(_ABSTRACT_WORDS.split())


def kind_of(noun: str) -> Kind:
    """Classify a plural noun phrase by its head: `boxes of red pens` are things.

    A head that is in no list is a thing if it ends in s.
    """
    head = re.split(r" (?:of|in|for|with|from|to) ", noun.lower())[0].split()[-1]
    forms = {head, head.removesuffix("s"), head.removesuffix("es")}
    if forms & _UNITS:
        return Kind.MEASURE
    if forms & _PEOPLE:
        return Kind.PEOPLE
    if forms & _ABSTRACT or not head.endswith("s"):
        return Kind.OTHER
    return Kind.THINGS
