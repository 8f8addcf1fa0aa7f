"""What differs between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from fdd.reporting.site.differences import LONGEST, Piece, compare

TEXTS = st.text(st.sampled_from("ab1 =+\n\u202e<"), max_size=60)


@given(before=TEXTS, after=TEXTS)
def test_the_pieces_are_the_texts_and_what_is_the_same_is_the_same(before: str, after: str) -> None:
    left, right = compare(before, after)
    assert "".join(piece.text for piece in left) == before
    assert "".join(piece.text for piece in right) == after
    shared = [[piece.text for piece in side if piece.same] for side in (left, right)]
    assert "".join(shared[0]) == "".join(shared[1])


def test_only_the_words_that_differ_are_marked() -> None:
    left, right = compare("answer = 3 + 4", "answer = 30 + 4")
    assert list(left) == [Piece("answer = ", True), Piece("3", False), Piece(" + 4", True)]
    assert list(right) == [Piece("answer = ", True), Piece("30", False), Piece(" + 4", True)]


def test_texts_that_are_too_long_differ_from_end_to_end() -> None:
    long = "word " * LONGEST
    assert compare(long, "word") == ([Piece(long, False)], [Piece("word", False)])
