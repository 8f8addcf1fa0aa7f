"""Questions taken apart, and the number they ask for as a noun phrase."""

from __future__ import annotations

import pytest

from fdd.agents.symbolic.wording.asking import parse_asking
from fdd.agents.symbolic.wording.grammar import split_clause
from fdd.agents.symbolic.wording.words import Kind, kind_of, past, third_person


@pytest.mark.parametrize(
    ("asking", "phrase", "kind"),
    [
        ("How many clips did Natalia sell in May?", "the number of clips Natalia sold in May", Kind.THINGS),
        ("How many red pens does he still have?", "the number of red pens he still has", Kind.THINGS),
        (
            "How many pens do Ann and Bob own together?",
            "the number of pens Ann and Bob own together",
            Kind.THINGS,
        ),
        ("How many students passed the test?", "the number of students who passed the test", Kind.PEOPLE),
        ("How many people are in the hall?", "the number of people who are in the hall", Kind.PEOPLE),
        ("How many cats are there in the house?", "the number of cats in the house", Kind.THINGS),
        ("How many eggs did they not eat?", "the number of eggs they did not eat", Kind.THINGS),
        ("How many eggs do not break?", "the number of eggs that do not break", Kind.THINGS),
        ("How many eggs does he has left?", "the number of eggs he has left", Kind.THINGS),
        ("How many eggs will be left?", "the number of eggs that will be left", Kind.THINGS),
        ("How many hours can she work?", "the number of hours she can work", Kind.MEASURE),
        ("How many games have they won?", "the number of games they have won", Kind.OTHER),
        ("How many more cups does he need?", "the number of additional cups he needs", Kind.MEASURE),
        (
            "How many bottles of water remain on the shelf?",
            "the number of bottles of water that remain on the shelf",
            Kind.THINGS,
        ),
        (
            "How many marbles does the older brother keep?",
            "the number of marbles the older brother keeps",
            Kind.THINGS,
        ),
        ("How much money does Ida have left?", "the amount of money Ida has left", Kind.MONEY),
        ("How much did she spend on food?", "the amount she spent on food", Kind.MONEY),
        ("How much profit did they make?", "the profit they made", Kind.MONEY),
        ("How many dollars is he saving?", "the amount of money he is saving", Kind.MONEY),
        ("What is the total cost of the pens?", "the total cost of the pens", Kind.MONEY),
        (
            "Calculate the total number of pens in the box.",
            "the total number of pens in the box",
            Kind.THINGS,
        ),
        ("Calculate how many pens she has.", "the number of pens she has", Kind.THINGS),
    ],
)
def test_the_number_asked_for_is_named(asking: str, phrase: str, kind: Kind) -> None:
    asked = parse_asking(f"Some story. {asking}", is_money="uch" in asking or "cost" in asking)
    assert asked is not None
    assert (asked.story, asked.opening) == ("Some story.", "")
    assert (asked.named.phrase, asked.named.kind) == (phrase, kind)


def test_mass_nouns_and_durations_are_amounts() -> None:
    water = parse_asking("How much water does the plant need?", is_money=False)
    time = parse_asking("How long will it take Ben to walk home?", is_money=False)
    assert water is not None
    assert time is not None
    assert water.named.phrase == "the amount of water the plant needs"
    assert time.named.phrase == "the time it will take Ben to walk home"


@pytest.mark.parametrize(
    ("sentence", "story", "opening"),
    [
        ("If he sells 5 pens, how many pens are left?", "", "If he sells 5 pens,"),
        ("If he sells 5 pens then how many pens are left?", "", "If he sells 5 pens,"),
        ("In total, how many pens are left?", "", ""),
        ("Insurance covered 80%, how many pens are left?", "Insurance covered 80%.", ""),
        ("How many pens are left if he sells 5 pens?", "", "If he sells 5 pens,"),
    ],
)
def test_what_stands_before_the_asking_is_kept(sentence: str, story: str, opening: str) -> None:
    asked = parse_asking(sentence, is_money=False)
    assert asked is not None
    assert (asked.story, asked.opening) == (story, opening)
    assert asked.named.those == "the pens that are left"


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    asked = parse_asking("Pens are sold. If Mr. Lee buys 5 pens, how many pens are left?", is_money=False)
    assert asked is not None
    assert asked.opening == "If Mr. Lee buys 5 pens,"


@pytest.mark.parametrize(
    "question",
    [
        "How many pens does Ann have? How many has Bob?",
        "How many more pens does Ann have than Bob?",
        "How old is Ann?",
        "What percentage of the pens are red?",
        "By how many pens does Ann win?",
        "If 5 pens are lost, how many pens are left if 2 are found?",
        "How many won't he be able to place?",
        "How much does the box weigh?",
        "How much longer does it take?",
        "What is x?",
        "Tell me about pens",
        "How long is the rope?",
        "How many levels is the tower?",
        "How many cents does Ann earn?",
        "How many pens, pencils, and rulers that nobody wants does Ann have?",
    ],
)
def test_other_questions_are_not_taken_apart(question: str) -> None:
    assert parse_asking(question, is_money=False) is None


@pytest.mark.parametrize(
    ("noun", "kind"),
    [
        ("boxes of red pens", Kind.THINGS),
        ("children", Kind.PEOPLE),
        ("square feet", Kind.MEASURE),
        ("points", Kind.OTHER),
    ],
)
def test_a_noun_phrase_counts_what_its_head_counts(noun: str, kind: Kind) -> None:
    assert kind_of(noun) is kind


@pytest.mark.parametrize(
    ("verb", "past_form", "third"),
    [
        ("sell", "sold", "sells"),
        ("carry", "carried", "carries"),
        ("plan", "planned", "plans"),
        ("bake", "baked", "bakes"),
        ("have", "had", "has"),
        ("watch", "watched", "watches"),
        ("play", "played", "plays"),
        ("go", "went", "goes"),
    ],
)
def test_verbs_are_inflected(verb: str, past_form: str, third: str) -> None:
    assert (past(verb), third_person(verb)) == (past_form, third)


def test_a_clause_is_split_at_its_verb() -> None:
    assert split_clause("the two old friends sell in May") == ("the two old friends", "", "sell", "in May")
    assert split_clause("she still need to buy") == ("she", "still", "need", "to buy")
    assert split_clause("Ann's little sister need to buy") == ("Ann's little sister", "", "need", "to buy")
    assert split_clause("the pie shop make daily") == ("the pie shop", "", "make", "daily")
    assert split_clause("seven of nine") is None
    assert split_clause("she") is None
