"""Other names for the people of a problem."""

from __future__ import annotations

import random

import pytest

from fdd.agents.symbolic.wording.first_names import gender, other_name, people, rename


def test_names_change_in_both_texts_and_keep_their_gender() -> None:
    question, solution = rename("Olivia meets Peter. Olivia's cat sleeps.", "Olivia has 2.", random.Random(0))
    she, he = people(question)
    assert (gender(she), gender(he)) == ("f", "m")
    assert {she, he}.isdisjoint({"Olivia", "Peter"})
    assert question == f"{she} meets {he}. {she}'s cat sleeps."
    assert solution == f"{she} has 2."


@pytest.mark.parametrize(
    "question",
    [
        "Miss Molly Brown has 2 cats.",
        "They sail on Lake Victoria in St. Peter.",
        "Does Olivia's name have 6 letters?",
        "The March rose is in the May grove.",
    ],
)
def test_surnames_places_words_and_letters_are_left_alone(question: str) -> None:
    assert rename(question, "", random.Random(0)) == (question, "")


def test_new_names_are_not_in_the_texts_nor_in_what_is_to_be_avoided() -> None:
    for seed in range(30):
        question, _ = rename("Olivia sings.", "Emma sings.", random.Random(seed), avoid="Sarah and Lisa")
        assert people(question)[0] not in {"Olivia", "Emma", "Sarah", "Lisa"}


def test_another_name_is_not_in_the_question() -> None:
    assert all(other_name("Olivia sings.", random.Random(seed)) != "Olivia" for seed in range(50))


def test_an_unknown_name_has_no_gender() -> None:
    assert gender("Gondor") is None
