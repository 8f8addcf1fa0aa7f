"""How values are written on a page."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fdd.reporting.formats import LARGEST_BLOCK, duration, number, signed, visible


def test_what_is_not_seen_gets_a_name_and_blanks_stay() -> None:
    assert visible("a\x00b\u202ec\u00a0d\te\nf") == "a⟨U+0000⟩b⟨U+202E⟩c\u00a0d\te\nf"


def test_a_text_that_is_cut_says_so() -> None:
    written = visible("x" * (LARGEST_BLOCK + 1234))
    assert isinstance(written, str)
    assert written.endswith("x ⟨and 1\u202f234 more characters⟩")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0.4 ms"), (0.0996, "0.1 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (7322, "2 h 2 min")],
)
def test_a_duration_has_the_unit_that_people_would_take(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_are_exact_and_changes_have_a_sign() -> None:
    assert number(Fraction(7, 3)) == "7/3 ≈ 2.33333"
    assert number(Fraction(4)) == "4"
    assert number(None) == "none"
    assert signed(-0.333) == "−33.3 points"
