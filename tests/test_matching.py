import pytest

from fdd.matching import exact_form, grams, masked


def test_exact_form_ignores_case_white_space_and_typographic_quotes() -> None:
    assert exact_form(" Tom’s  dog\nran – fast ") == exact_form("tom's dog ran - FAST")


def test_exact_form_keeps_numbers() -> None:
    assert exact_form("He has 3 cats.") != exact_form("He has 4 cats.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He has 3 cats.", "he has # cats."),
        ("He has three cats.", "he has # cats."),
        ("It costs $1,200.50 or 25%.", "it costs $# or #%."),
        ("Twenty-one balls, two hundred and fifty bats", "# balls, # bats"),
        ("3/4 of a 120-page book at 10:30", "# of a #-page book at #"),
        ("twice as many, half of them, .5 more", "# as many, # of them, # more"),
        ("2½ hours, the 3rd day, 2.5 million", "# hours, the # day, #"),
        ("someone often weighs stones", "someone often weighs stones"),
        ("", ""),
    ],
)
def test_masked_replaces_every_number(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_masked_is_the_same_for_questions_that_differ_in_their_numbers_only() -> None:
    first = "Weng earns $12 an hour. Yesterday, she did 50 minutes. How much did she earn?"
    second = "Weng earns $9.50 an hour. Yesterday,  she did forty-five minutes. How much did she earn?"
    assert masked(first) == masked(second)


def test_masked_keeps_names_apart() -> None:
    assert masked("Ann has 3 cats.") != masked("Bob has 3 cats.")


def test_exact_form_ignores_characters_that_nobody_sees() -> None:
    assert exact_form("He\u200b has a ca\u00adt.\ufeff") == "he has a cat."


def test_grams_are_the_words_that_follow_each_other_without_punctuation() -> None:
    form = masked("Ann's cat (Tom) ate 3/4 of it, not all!")
    assert sorted(grams(form, 4)) == [
        ("#", "of", "it", "not"),
        ("ann's", "cat", "tom", "ate"),
        ("ate", "#", "of", "it"),
        ("cat", "tom", "ate", "#"),
        ("of", "it", "not", "all"),
        ("tom", "ate", "#", "of"),
    ]


def test_a_form_of_fewer_words_has_no_grams() -> None:
    assert grams("how many cats?", 4) == frozenset()


def test_masking_twice_changes_nothing() -> None:
    once = masked("Two dozen eggs at $3 a dozen, 1/2 of them broken.")
    assert masked(once) == once
