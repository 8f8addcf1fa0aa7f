"""Sentences of worked solutions turned into the questions that they answer."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fdd.agents.symbolic.derivation import Constant, Step
from fdd.agents.symbolic.wording.grammar import read_predicate
from fdd.agents.symbolic.wording.questioning import question_of
from tests.growth import is_linear

STORY = "Nina and Ben sell clips, pens and blue balls in their toy shop. A clip costs $3. Ann is 8 years old."


def ask(text: str, value: str, name: str = "value") -> str | None:
    return question_of(Step(Constant(Fraction(0)), Fraction(value), name, text), STORY)


@pytest.mark.parametrize(
    ("sentence", "value", "question"),
    [
        ("Nina sold 48/2 = 24 clips in May.", "24", "How many clips did Nina sell in May?"),
        (
            "So the shop sells 4 * 6 = 24 clips every day.",
            "24",
            "How many clips does the shop sell every day?",
        ),
        ("Nina and Ben buy 4*6 = 24 pens.", "24", "How many pens do Nina and Ben buy?"),
        ("She buys 4*6 = 24 pens for Nina and Ben.", "24", "How many pens does she buy for Nina and Ben?"),
        ("She sold 4*6 = 24 pens in May and June.", "24", "How many pens did she sell in May and June?"),
        ("She sold 4*6 = 24 pens and Ben sold 5.", "24", "How many pens did she sell?"),
        (
            "She has 4*6 = 24 pens in blue and heavy boxes.",
            "24",
            "How many pens does she have in blue and heavy boxes?",
        ),
        (
            "Ben will need to buy 4*6 = 24 bags of clips.",
            "24",
            "How many bags of clips will Ben need to buy?",
        ),
        ("Ben has already sold 4*6 = 24 pens.", "24", "How many pens has Ben sold?"),
        ("He frosted 4*6 = 24 cakes.", "24", "How many cakes did he frost?"),
        ("Ben spends 4 * $6 = $24 on pens.", "24", "How much does Ben spend on pens?"),
        ("Ben gets 4 * $6 = $24 for them.", "24", "How much money does Ben get for them?"),
        ("Each pen costs $24/6 = $4.", "4", "How much does each pen cost?"),
        ("Ben saved $24 - $6 = $18 more than Nina.", "18", "How much more did Ben save than Nina?"),
        ("Nina earned 4*6 = 24 dollars.", "24", "How many dollars did Nina earn?"),
    ],
)
def test_who_does_what_is_asked_with_the_verb_in_its_base_form(
    sentence: str, value: str, question: str
) -> None:
    assert ask(sentence, value) == question


@pytest.mark.parametrize(
    ("sentence", "value", "question"),
    [
        ("There are 20+4 = 24 pens in the box.", "24", "How many pens are in the box?"),
        ("There were 20-6 = 14 pens left.", "14", "How many pens were left?"),
        ("There will be 20+4 = 24 pens.", "24", "How many pens will there be?"),
        ("There are 20-6 = 14 girls who like pens.", "14", "How many girls like pens?"),
        ("20-6 = 14 blue pens were sold.", "14", "How many blue pens were sold?"),
        ("The total cost of the pens is 4*6 = $24.", "24", "What is the total cost of the pens?"),
        ("The new price will be 4*6 = $24.", "24", "What will the new price be?"),
        ("Half of the clips is 24/2 = 12.", "12", "What is half of the clips?"),
        ("Ann is 8+4 = 12 years old.", "12", "How old is Ann?"),
        ("The rope is 8*2 = 16 feet long.", "16", "How many feet long is the rope?"),
        ("The shop is 8*2 = 16 miles away from here.", "16", "How many miles away from here is the shop?"),
        ("2 hours is 2*60 = 120 minutes.", "120", "How many minutes are there in 2 hours?"),
        ("It takes 8*2 = 16 minutes to walk home.", "16", "How many minutes does it take to walk home?"),
        ("The blue balls are 24/2 = 12.", "12", "How many blue balls are there?"),
    ],
)
def test_what_is_or_what_there_is_is_asked_for(sentence: str, value: str, question: str) -> None:
    assert ask(sentence, value) == question


@pytest.mark.parametrize(
    ("sentence", "value", "question"),
    [
        ("On Monday, Ben sold 4*6 = 24 pens.", "24", "How many pens did Ben sell on Monday?"),
        ("Each day he sells 4*6 = 24 pens.", "24", "How many pens does he sell each day?"),
        ("If Ann sells 4 pens, then Ben sells 4*6 = 24 pens.", "24", "How many pens does Ben sell?"),
        ("Ben has twice as many pens, so he has 2*6 = 12 pens.", "12", "How many pens does Ben have?"),
        ("The pens are on sale, so they cost 2*6 = $12.", "12", "How much do the pens cost?"),
        ("Ben sold six times as many pens, or 4*6 = 24 pens.", "24", "How many pens did Ben sell?"),
        ("Altogether they sold 4+6 = 10 pens.", "10", "How many pens did they sell in total?"),
        ("They sold a total of 4+6 = 10 pens.", "10", "How many pens did they sell in total?"),
        ("He pays $10 because 4+6 = 10.", "10", "How much does he pay?"),
        ("Ben works for 4*6 = 24 hours.", "24", "For how many hours does Ben work?"),
        ("It rises to a height of 4*6 = 24 feet.", "24", "How many feet does it rise to a height of?"),
        ("He sold six pens for a total price of 4*6 = $24.", "24", "What is the total price?"),
    ],
)
def test_what_stands_around_the_clause_is_understood(sentence: str, value: str, question: str) -> None:
    assert ask(sentence, value) == question


@pytest.mark.parametrize(
    ("sentence", "value", "question"),
    [
        ("First find the area of the box: 4 * 6 = 24", "24", "What is the area of the box?"),
        ("Then find Ben's total costs: 4 * 6 = 24", "24", "What are Ben's total costs?"),
        ("Figure out how many pens Ben needs: 4 * 6 = 24", "24", "How many pens does Ben need?"),
        ("Find how many pens are blue: 4 * 6 = 24", "24", "How many pens are blue?"),
        ("Total price: 4 * $6 = $24", "24", "What is the total price?"),
        ("Blue balls: 4 * 6 = 24", "24", "How many blue balls are there?"),
        ("6 rows of 4: 4 * 6 = 24 pens", "24", "How many pens for 6 rows of 4?"),
    ],
)
def test_tasks_and_headings_are_turned_into_questions(sentence: str, value: str, question: str) -> None:
    assert ask(sentence, value) == question


def test_the_name_of_a_step_asks_where_the_sentence_has_its_words() -> None:
    assert ask("24/2 = 12 (blue balls)", "12", "blue_balls") == "How many blue balls are there?"


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("4*6 = 24.", "24"),
        ("So that is 4*6 = 24 altogether.", "24"),
        ("Ben sold pens, that much we know, and 4*6 = 24.", "24"),
        ("He walks 4*6 = $24.", "24"),
        ("It is 24/6 = 4 times as much.", "4"),
        ("Nothing is said of it.", "24"),
        ("", "24"),
    ],
)
def test_a_sentence_that_tells_nothing_clearly_is_not_asked_about(sentence: str, value: str) -> None:
    assert ask(sentence, value) is None


def test_an_endless_sentence_is_given_up() -> None:
    def given_up(words: int) -> None:
        assert ask("so " * words + "4*6 = 24 pens", "24") is None

    assert is_linear(given_up, 6000)


@pytest.mark.parametrize(
    ("text", "auxiliary", "subject", "verb", "rest"),
    [
        ("she sold", "did", "she", "sell", ()),
        ("the five dogs weigh", "do", "the five dogs", "weigh", ()),
        ("each of the shelves holds", "does", "each of the shelves", "hold", ()),
        ("Ann and Bob are paid", "are", "Ann and Bob", "paid", ()),
        ("she had to pay him", "did", "she", "have to pay", ("him",)),
        ("they will have sold", "will", "they", "have sold", ()),
        ("she sliced", "did", "she", "slice", ()),
        ("she hummed", "did", "she", "hum", ()),
        ("it multiplies", "does", "it", "multiply", ()),
        ("walking home takes", "does", "walking home", "take", ()),
    ],
)
def test_subject_and_verb_are_told_apart(
    text: str, auxiliary: str, subject: str, verb: str, rest: tuple[str, ...]
) -> None:
    assert read_predicate(text) == (auxiliary, subject, verb, rest)


@pytest.mark.parametrize(
    "text", ["in the end", "to sell pens", "she does not sell", "of them sold", "if she"]
)
def test_what_has_no_clear_subject_and_verb_is_not_read(text: str) -> None:
    assert read_predicate(text) is None
