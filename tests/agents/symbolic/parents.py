"""Parent problems for the tests of synthesizers: worked problems in GSM8K's format, written for them."""

from __future__ import annotations

from fractions import Fraction

from fdd.agents.symbolic.derivation import Derivation
from fdd.agents.symbolic.reading.parse import derive
from fdd.domain import Problem, problem_id


def problem(question: str, solution: str, answer: int | str) -> Problem:
    value = Fraction(answer)
    return Problem(
        id=problem_id(question, value), question=question, answer=value, solution=solution, source="tests"
    )


def read(parent: Problem) -> Derivation:
    derivation = derive(parent.question, parent.solution, parent.answer)
    assert isinstance(derivation, Derivation), derivation
    return derivation


BEADS = problem(
    "Sofia strung 36 red beads on Monday and three times as many blue beads on Tuesday. "
    "How many beads did Sofia string altogether?",
    "Sofia strung 36*3 = <<36*3=108>>108 blue beads.\n"
    "Altogether she strung 36+108 = <<36+108=144>>144 beads.",
    144,
)
BREAD = problem(
    "A baker sells 25 loaves for $4 each and 40 rolls for $1.50 each. He pays 20% of it for flour. "
    "How much money does the baker have left?",
    "The loaves bring 25*4 = $<<25*4=100>>100.\nThe rolls bring 40*1.50 = $<<40*1.5=60>>60.\n"
    "He takes 100+60 = $<<100+60=160>>160.\nHe pays 160*.2 = $<<160*.2=32>>32 for flour.\n"
    "He has 160-32 = $<<160-32=128>>128 left.",
    128,
)
CHEAPER = problem(
    "Stall A sells 9 mugs at $8 each. Stall B sells 20 plates at $5 each. "
    "How many dollars does the cheaper order cost?",
    "The plates cost 20*5 = <<20*5=100>>100 dollars.\nThe mugs cost 9*8 = <<9*8=72>>72 dollars.",
    72,
)
TANK = problem(
    "A tank holds 240 liters. Pump A brings 12 liters a minute and pump B brings 8 liters a minute. "
    "How many minutes does it take both pumps to fill the tank?",
    "Both pumps bring 12+8 = <<12+8=20>>20 liters a minute.\nIt takes 240/20 = <<240/20=12>>12 minutes.",
    12,
)
HIKE = problem(
    "Marco hikes 18 kilometers on Saturday. On Sunday he hikes 5 kilometers less. "
    "If he hikes like this for six weekends, how many kilometers does he hike in total?",
    "On Sunday he hikes 18-5 = <<18-5=13>>13 kilometers.\n"
    "On a weekend he hikes 18+13 = <<18+13=31>>31 kilometers.\n"
    "In six weekends he hikes 31*6 = <<31*6=186>>186 kilometers.",
    186,
)
PUPILS = problem(
    "There are 120 pupils in a school. 3/4 of the pupils play a sport. "
    "How many pupils in the school do not play a sport?",
    "3/4*120 = <<3/4*120=90>>90 pupils play a sport.\nSo 120-90 = <<120-90=30>>30 pupils do not.",
    30,
)
AGES = problem(
    "Nora is 6 years old. Her uncle is 3 times as old as she is. How old is her uncle?",
    "The uncle is 6*3 = <<6*3=18>>18 years old.",
    18,
)
BUSES = problem(
    "Twelve buses with 45 seats each bring guests to a fair. 60 seats stay empty. "
    "How many guests come to the fair?",
    "The buses have 12*45 = <<12*45=540>>540 seats.\nSo 540-60 = <<540-60=480>>480 guests come to the fair.",
    480,
)
PARENTS = (BEADS, BREAD, TANK, HIKE, PUPILS, AGES, BUSES)
