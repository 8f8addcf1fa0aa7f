"""Worked solutions read into derivations."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
import sympy

from fdd.agents.symbolic.derivation import (
    Constant,
    Derivation,
    Expression,
    Given,
    Operation,
    Result,
    evaluate,
    leaves,
)
from fdd.agents.symbolic.reading.parse import derive
from fdd.domain import Problem, Reason, Refusal
from fdd.problems.gsm_symbolic import GsmSymbolic

CLIPS = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)
CLIPS_SOLUTION = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May."
)


def read(question: str, solution: str, answer: str, *, repair: bool = False) -> Derivation:
    derivation = derive(question, solution, Fraction(answer), repair=repair)
    assert isinstance(derivation, Derivation), derivation
    assert derivation.answer == Fraction(answer)
    return derivation


def shown(derivation: Derivation) -> list[str]:
    """Each step with the question's own text in brackets and earlier steps by number."""

    def show(expression: Expression) -> str:
        match expression:
            case Given(index):
                quantity = derivation.quantities[index]
                return f"[{derivation.question[quantity.start : quantity.end]}]"
            case Result(index):
                return f"#{index}"
            case Constant(value):
                return str(value)
            case Operation(sign, left, right):
                return f"({show(left)} {sign} {show(right)})"

    return [show(step.expression) for step in derivation.steps]


def test_operands_are_tied_to_the_question_and_to_earlier_steps() -> None:
    derivation = read(CLIPS, CLIPS_SOLUTION, "72")
    assert shown(derivation) == ["([48] / 2)", "([48] + #0)"]
    assert [step.name for step in derivation.steps] == ["clips_in_may", "clips_in_april"]
    assert derivation.steps[0].text == "Natalia sold 48/2 = 24 clips in May."


def test_calculator_marks_are_not_needed() -> None:
    plain = "She sold 48 / 2 = 24 clips in May. Together that is 48 + 24 = 72 clips."
    assert shown(read(CLIPS, plain, "72")) == ["([48] / 2)", "([48] + #0)"]


@pytest.mark.parametrize(
    ("question", "solution", "answer", "steps"),
    [
        ("25% of 80 birds flew.", "25/100*80 = 20 flew.", "20", ["(([25%] / 100) * [80])"]),
        ("25% of 80 birds flew.", "80 * .25 = <<80*.25=20>>20 flew.", "20", ["([80] * ([25%] / 100))"]),
        ("25% of 80 birds flew.", "80*25*.01 = <<80*25*.01=20>>20", "20", ["(([80] * [25%]) / 100)"]),
        ("25% of 80 birds flew.", "25% of 80 = 20 flew.", "20", ["(([25%] / 100) * [80])"]),
        ("25% of 80 flew. How many stayed?", "80 * .75 = 60", "60", ["([80] * (1 - ([25%] / 100)))"]),
        ("80 birds became 25% more.", "80 * 1.25 = 100", "100", ["([80] * (1 + ([25%] / 100)))"]),
        ("25% of 80 flew. How many stayed?", "80*75/100 = 60", "60", ["([80] * ((100 - [25%]) / 100))"]),
        (
            "20% of 50 questions are hard, the others easy.",
            "100% - 20% = 80% are easy.\nSo 50 x 80/100 = 40.",
            "40",
            ["(100 - [20%])", "([50] * (#0 / 100))"],
        ),
        ("3 of 12 are red. What percentage?", "3 / 12 * 100% = 25%", "25", ["(([3] / [12]) * 100)"]),
        ("3 of 12 are red. What percentage?", "3 / 12 = 25%", "25", ["(([3] / [12]) * 100)"]),
        ("3 of 12 are red. What percentage?", "3 / 12 = 25 Percent", "25", ["(([3] / [12]) * 100)"]),
        ("3/4 of 80 flew.", "3/4*80 = 60", "60", ["([3/4] * [80])"]),
        ("half of 80 flew.", "80 * 0.5 = 40", "40", ["([80] * [half])"]),
        ("A third of 60 flew. How many stayed?", "60 * 2/3 = 40", "40", ["([60] * (1 - [A third]))"]),
        ("6 pens for 60 cents each.", "6 * $0.6 = $3.60", "3.6", ["([6] * ([60] / 100))"]),
        (
            "5 ships for $3 million each.",
            "5 * 3,000,000 = 15,000,000",
            "15000000",
            ["([5] * ([3] * 1000000))"],
        ),
        ("4 boxes of 6 for $2 each", "4 x 6 x $2 = 24 x 2 = $48", "48", ["(([4] * [6]) * [2])"]),
        ("4 of 6 and 10 of 5", "4*6 = 24 + 10 = 34", "34", ["([4] * [6])", "(#0 + [10])"]),
        (
            "He has 70, 44 and 22 of 156",
            "70+44+22+T = 156. T = 156 - 136 = 20",
            "20",
            ["(([70] + [44]) + [22])", "([156] - #0)"],
        ),
        (
            "160 emails, 30% need no reply.",
            "48=48 need none, so 160-48=112",
            "112",
            ["(([160] * [30%]) / 100)", "([160] - #0)"],
        ),
        ("200 shirts, half black at $30", "100 * 30 = 3000", "3000", ["([200] * [half])", "(#0 * [30])"]),
    ],
)  # fmt: skip
def test_numbers_are_recognized_in_the_shapes_that_solutions_use(
    question: str, solution: str, answer: str, steps: list[str]
) -> None:
    assert shown(read(question, solution, answer)) == steps


def test_of_two_equal_numbers_the_one_with_the_same_words_is_taken() -> None:
    question = "The 5 red pens weigh 9 grams each and the 5 blue crayons weigh 3 grams each."
    solution = "The blue crayons weigh 5 * 3 = 15 grams. The red pens weigh 5 * 9 = 45 grams. 45 + 15 = 60"
    derivation = read(question, solution, "60")
    first, second = (next(leaves(step.expression)) for step in derivation.steps[:2])
    assert isinstance(first, Given) and isinstance(second, Given)
    assert derivation.quantities[first.index].start > derivation.quantities[second.index].start


def test_a_percentage_is_not_mistaken_for_a_count_of_the_same_size() -> None:
    derivation = read("10 boys and 10% of 50 girls", "50 * 10/100 = 5. 10 + 5 = 15", "15")
    assert shown(derivation) == ["([50] * ([10%] / 100))", "([10] + #0)"]


def test_steps_that_do_not_feed_the_answer_are_left_out() -> None:
    solution = "48 * 7 = 336 a week. " + CLIPS_SOLUTION
    assert len(read(CLIPS, solution, "72").steps) == 2


def test_abbreviations_do_not_end_a_sentence() -> None:
    derivation = read("He has 8 of 5", "So 8 - 5 = 3 more than Dr. Lee has.", "3")
    assert derivation.steps[0].text == "So 8 - 5 = 3 more than Dr. Lee has."


@pytest.mark.parametrize(
    ("question", "solution", "answer"),
    [
        ("2 of 3 people share 9", "9 / 2 = 4.6", "4.6"),
        ("2 of 3 people", "2 / 3 = 0.67", "0.67"),
        ("2 of 3 people", "2 + 3 = 6, and 6 * 3 = 18", "18"),
        ("2 of 3 people", "2 * 71 = 142", "142"),
        ("Some people", "4 + 5 = 9", "9"),
        ("10 coins of $1 and $2", "Then T = 10 - 6 = 4", "4"),
        ("7 more than 4 times", "5x + 7 = 52, so x=<<9=9>>9. 4(9) + 7 = 43", "43"),
        ("2 of 3 people", "", "5"),
        ("2 of 3 people", "2 + 3 = 5", "7"),
        ("2 of 3 people", "3 / 0 = 5", "5"),
    ],
)
def test_a_solution_that_does_not_add_up_is_refused(question: str, solution: str, answer: str) -> None:
    refusal = derive(question, solution, Fraction(answer))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_DERIVATION
    assert refusal.detail


def test_repair_computes_a_wrong_result_again_and_carries_it_on() -> None:
    question, solution = "1 pie for 3, 6 times", "Each gets 1/3 = 0.33. That makes 0.33 * 6 = 2."
    assert isinstance(derive(question, solution, Fraction(2)), Refusal)
    assert shown(read(question, solution, "2", repair=True)) == ["([1] / [3])", "(#0 * [6])"]


def test_repair_does_not_divide_by_a_result_that_became_zero() -> None:
    refusal = derive("3 and 5", "3 - 3 = 1. 5 / 1 = 5.", Fraction(5), repair=True)
    assert isinstance(refusal, Refusal)


def test_repair_reads_plain_arithmetic_where_marks_are_broken() -> None:
    solution = "She sold 48/2 = <<24>>24 in May.\nThat is 48 + 24 = <<48+=72>>72 in all."
    assert isinstance(derive(CLIPS, solution, Fraction(72)), Refusal)
    assert shown(read(CLIPS, solution, "72", repair=True)) == ["([48] / 2)", "([48] + #0)"]


@pytest.fixture(scope="module")
def instances() -> list[Problem]:
    source = GsmSymbolic(seed=5)
    return source.draw(source.templates, 340, refuse=lambda _: None, chance=random.Random(5))


@pytest.fixture(scope="module")
def derivations(instances: list[Problem]) -> list[Derivation]:
    found = (derive(problem.question, problem.solution, problem.answer) for problem in instances)
    return [derivation for derivation in found if isinstance(derivation, Derivation)]


def test_nine_in_ten_instances_of_gsm_symbolic_are_read(
    instances: list[Problem], derivations: list[Derivation]
) -> None:
    assert len(derivations) >= 0.9 * len(instances)


def test_sympy_finds_every_step_exact(derivations: list[Derivation]) -> None:
    def exact(expression: Expression, derivation: Derivation, values: list[sympy.Rational]) -> sympy.Rational:
        match expression:
            case Given(index):
                return _rational(derivation.quantities[index].value)
            case Result(index):
                return values[index]
            case Constant(value):
                return _rational(value)
            case Operation(sign, left, right):
                return _SYMPY[sign](exact(left, derivation, values), exact(right, derivation, values))

    for derivation in derivations:
        values: list[sympy.Rational] = []
        for step in derivation.steps:
            values.append(exact(step.expression, derivation, values))
        assert values == [_rational(step.value) for step in derivation.steps]


def _rational(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


_SYMPY = {
    "+": lambda left, right: sympy.Add(left, right),
    "-": lambda left, right: sympy.Add(left, -right),
    "*": lambda left, right: sympy.Mul(left, right),
    "/": lambda left, right: sympy.Mul(left, sympy.Pow(right, -1)),
}


def test_steps_use_only_what_came_before_and_evaluate_to_their_value(derivations: list[Derivation]) -> None:
    for derivation in derivations:
        givens = [quantity.value for quantity in derivation.quantities]
        results: list[Fraction] = []
        for step in derivation.steps:
            assert evaluate(step.expression, givens, results) == step.value
            results.append(step.value)


def test_every_step_but_the_last_is_used(derivations: list[Derivation]) -> None:
    for derivation in derivations:
        used = {leaf for step in derivation.steps for leaf in leaves(step.expression)}
        assert {Result(index) for index in range(len(derivation.steps) - 1)} <= used
        assert any(isinstance(leaf, Given) for leaf in used)


def test_names_are_short_unique_identifiers(derivations: list[Derivation]) -> None:
    for derivation in derivations:
        names = [step.name for step in derivation.steps]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name.isascii() and len(name) <= 20 for name in names)


FOOD = (
    "Ravi has $2000. He spends 30% on books, 20% on rent, 20% on games, the rest on food. How much is that?"
)
FOOD_SOLUTION = (
    "Books take 30% * $2000 = $<<30*.01*2000=600>>600.\n"
    "Rent takes 20% * $2000 = $<<20*.01*2000=400>>400.\n"
    "Games take 20% * $2000 = $<<20*.01*2000=400>>400.\n"
    "Food gets $2000 - ($600 + $400 + $400) = $600."
)
CALL = (
    "A call costs $0.9 for each of the first 10 minutes, $0.6 for each minute from then until minute 30, and "
    "$0.3 per two minutes after that. What do 90 minutes cost?"
)
CALL_SOLUTION = (
    "The first 10 minutes cost 10 * 0.9 = $9. The next 30 - 10 = 20 minutes cost 20 * 0.6 = $12.\n"
    "There are 90 - 30 = 60 minutes left, and 60 / 2 = 30 pairs of minutes, which cost 0.3 * 30 = $9.\n"
    "Altogether that is $9 + $12 + $9 = $30."
)


@pytest.mark.parametrize(
    "sign", ["₺", "₣", "₽", "₩", "₪", "₫", "₦", "¥", "₹", "R$", "Rs. ", "Rs.", "kr ", "CHF "]
)
@pytest.mark.parametrize(
    ("question", "solution", "answer"), [(FOOD, FOOD_SOLUTION, "600"), (CALL, CALL_SOLUTION, "30")]
)
def test_the_same_text_in_another_currency_gives_the_same_steps(
    question: str, solution: str, answer: str, sign: str
) -> None:
    other = read(question.replace("$", sign), solution.replace("$", sign), answer)
    assert shown(other) == shown(read(question, solution, answer))


@pytest.mark.parametrize("unit", ["zł", "kr", "Kč", "€", "złotych"])
def test_a_currency_may_follow_its_number(unit: str) -> None:
    solution = (
        f"3 trays cost 3 * 4 {unit} = 12 {unit}. With the coupon that is 12 {unit} - 5 {unit} = 7 {unit}."
    )
    derivation = read(f"3 trays cost 4 {unit} each, and a coupon takes 5 {unit} off.", solution, "7")
    assert shown(derivation) == ["([3] * [4])", "(#0 - [5])"]


def test_a_currency_may_follow_the_cross_of_a_product() -> None:
    derivation = read("20 pens cost Rs. 3 each.", "That is 20xRs. 3=Rs. 60.", "60")
    assert shown(derivation) == ["([20] * [3])"]


RUNNERS = (
    "Two runners race. The first needs 8 minutes for a mile, the second 7. After 56 minutes the second one "
    "stops. How many minutes may he rest until the first one catches up?"
)


@pytest.mark.parametrize("repair", [False, True])
def test_an_answer_that_was_met_on_the_way_is_refused(repair: bool) -> None:
    solution = (
        "The second runner has come 56 / 7 = <<56/7=8>>8 miles, the first 56 / 8 = <<56/8=7>>7 miles.\n"
        "They are 8 - 7 = <<8-7=1>>1 mile apart, and the first runner needs 8 minutes for it."
    )
    refusal = derive(RUNNERS, solution, Fraction(8), repair=repair)
    assert isinstance(refusal, Refusal)
    assert refusal.detail == "the solution goes on after its answer"


def test_an_answer_that_an_unexplained_step_gives_is_not_taken_from_an_earlier_one() -> None:
    refusal = derive("10 coins of $4 and $2", "10 - 4 = 6. 2 * 71 = 142. 142 - 136 = 6.", Fraction(6))
    assert isinstance(refusal, Refusal)


PACK = "Four hunters feed 20 dogs. Each dog eats 8 pounds a day for five days. A deer gives 200 pounds."
PACK_SOLUTION = (
    "They eat 20 * 8 = <<20*8=160>>160 pounds a day. In five days it is 160 * 5 = <<160*5=800>>800 pounds.\n"
    "That is 800 / 200 = <<800/200=4>>4 deer. Each hunter brings 4 / 4 = <<4/4=1>>1 deer."
)


@pytest.mark.parametrize(
    ("question", "solution", "answer", "steps"),
    [
        (PACK, PACK_SOLUTION, "1", ["([20] * [8])", "(#0 * [five])", "(#1 / [200])", "(#2 / [Four])"]),
        (
            "He works 12 minutes on each of 5 parts. How many hours is that?",
            "That is 12 * 5 = 60 minutes. 60 / 60 = 1 hour.",
            "1",
            ["([12] * [5])", "(#0 / 60)"],
        ),
        (
            "30 pounds of meat make meals of 1.5 pounds, sold for $20 each.",
            "That makes 30 / 1.5 = 20 meals. He earns 20 * 20 = $400.",
            "400",
            ["([30] / [1.5])", "(#0 * [20])"],
        ),
        (
            "On Monday it sells 40 dinners, on Tuesday 40 more, on Wednesday half of that. How many in all?",
            "Tuesday: 40 + 40 = 80. Wednesday: 80 / 2 = 40. In all 40 + 80 + 40 = 160.",
            "160",
            ["([40] + [40])", "(#0 / 2)", "((#1 + #0) + [40])"],
        ),
        (
            "A room is 10 feet long in each direction, and a foot has 12 inches. What is its area?",
            "It is 10 * 12 = 120 inches long. The area is 120 * 120 = 14400.",
            "14400",
            ["([10] * [12])", "(#0 * #0)"],
        ),
        (
            "Lena walks 20 minutes three times a day. How many hours does she walk in 4 days?",
            "She walks 20 * 3 = 60 minutes a day, in 4 days 60 * 4 = 240 minutes. It is 240 / 60 = 4 hours.",
            "4",
            ["([20] * [three])", "(#0 * [4])", "(#1 / 60)"],
        ),
        (
            "Ned needs 4 minutes a page for 15 pages on 3 days. He then rests 1.5 hours. How many minutes?",
            "He reads 15 * 4 = 60 minutes a day, so 60 * 3 = 180 minutes. He rests 1.5 * 60 = 90 minutes. "
            "In all that is 180 + 90 = 270 minutes.",
            "270",
            ["([15] * [4])", "(#0 * [3])", "([1.5] * 60)", "(#1 + #2)"],
        ),
        (
            "Two bags of flour and five bags of oats cost $13. A bag of flour costs $1.50. What do three "
            "bags of flour and one bag of oats cost?",
            "Two bags of flour cost 1.5 * 2 = $3. Three bags of flour cost 1.5 * 3 = $4.50. Five bags of "
            "oats cost 13 - 3 = $10. A bag of oats costs 10 / 5 = $2. Together that is 4.5 + 2 = $6.50.",
            "6.5",
            ["([1.50] * [Two])", "([1.50] * [three])", "([13] - #0)", "(#2 / [five])", "(#1 + #3)"],
        ),
        (
            "The area of a room is 54 square meters, its length 9 meters. What is its perimeter in meters?",
            "Its length is 9 meters * (1 meters / 1 meters) = 9 meters. Its width is 54 / 9 = 6 meters. "
            "Its perimeter is 2 * (6 + 9) = 30 meters.",
            "30",
            ["([9] * (1 / 1))", "([54] / #0)", "(2 * (#1 + #0))"],
        ),
        (
            "Pia sold 3/8 of her stamps for $24. How much would all of them bring?",
            "One eighth brought 24 / 3 = 8 dollars. All of them bring 8 * 8 = $64.",
            "64",
            ["([24] / 3)", "(#0 * 8)"],
        ),
    ],
)
def test_two_equal_numbers_of_one_operation_are_two_things(
    question: str, solution: str, answer: str, steps: list[str]
) -> None:
    assert shown(read(question, solution, answer)) == steps


@pytest.mark.parametrize(
    ("question", "solution", "answer", "steps"),
    [
        (
            "Ben saw 4 owls and 2 foxes on Friday, 3 hares and 6 deer on Saturday, and 5 crows and 3 rats on "
            "Sunday. How many animals did Ben see?",
            "On Friday Ben saw 4 + 2 = 6 animals. On Saturday Ben saw 3 + 6 = 9 animals. On Sunday Ben saw "
            "5 + 3 = 8 animals. The animals that Ben saw were 6 + 9 + 8 = 23.",
            "23",
            ["([4] + [2])", "([3] + [6])", "([5] + [3])", "((#0 + #1) + #2)"],
        ),
        (
            "Three cooks buy 5 pies at $9 each, 2 jars at $1.5 each and 7 rolls at $3 each, and share the "
            "cost. How much does each pay?",
            "The pies cost 5 * 9 = $45. The jars cost 2 * 1.5 = $3. The rolls cost 7 * 3 = $21. "
            "The three cooks share a cost of 45 + 3 + 21 = $69. Each pays 69 / 3 = $23.",
            "23",
            ["([5] * [9])", "([2] * [1.5])", "([7] * [3])", "((#0 + #1) + #2)", "(#3 / [Three])"],
        ),
        (
            "A heron fished for five days. It ate 3 small fish on the first day, and each day 2 more. How "
            "many small fish did it eat on the first four?",
            "On the second day it ate 3 + 2 = 5 small fish. On the third it ate 5 + 2 = 7 small fish. On the "
            "fourth it ate 7 + 2 = 9 small fish. It ate 3 + 5 + 7 + 9 = 24 small fish.",
            "24",
            ["([3] + [2])", "(#0 + [2])", "(#1 + [2])", "((([3] + #0) + #1) + #2)"],
        ),
    ],
)
def test_a_sum_of_results_takes_the_result_and_not_an_equal_number_of_the_question(
    question: str, solution: str, answer: str, steps: list[str]
) -> None:
    assert shown(read(question, solution, answer)) == steps


@pytest.mark.parametrize(
    ("question", "solution", "answer"),
    [
        (
            "A team of 11 scores 15 hits, 5 of them by its best player. How many has each other player?",
            "The others score 15 - 5 = 10 hits. That is 10 / 10 = 1 hit each.",
            "1",
        ),
        (
            "She answers 16 of 80 questions in 12 minutes. How many minutes of her hour are left?",
            "She needs 12 / 16 = 0.75 minutes each. 80 * 0.75 = 60 minutes. 60 - 60 = 0 minutes are left.",
            "0",
        ),
        (
            "Joe sold 50 cookies for $60, for 20% more than they cost. How much does one cost to make?",
            "He sold each for 60 / 50 = $1.2. It costs 1.2 / 1.2 = $1.",
            "1",
        ),
        (
            "Ida has $14 and Udo $8. A set costs $14, a juice $2. Each juice fills 8 glasses. How many?",
            "They have 14 + 8 = $22. The set leaves 22 - 14 = $8. They buy 8 / 2 = 4 bottles of juice. "
            "These fill 4 * 8 = 32 glasses.",
            "32",
        ),
        (
            "His mission took 5 days, and 60% longer. A second mission took 3 days. How many days in all?",
            "It took 5 * 0.6 = 3 days longer. So it took 5 + 3 = 8 days. In all that is 8 + 3 = 11 days.",
            "11",
        ),
    ],
)
def test_a_number_that_may_mean_two_things_is_refused(question: str, solution: str, answer: str) -> None:
    refusal = derive(question, solution, Fraction(answer))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.AMBIGUOUS
