"""What a page makes of a value."""

import pytest
from markupsafe import Markup

from fdd.reporting.formats import inert
from fdd.reporting.templating import environment


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("one\ntwo", "one\ntwo"),
        ("if x:\n\ty = 1", "if x:\n    y = 1"),
        ("a\0b\x1b[2Jc\rd", "a b [2Jc d"),
        ("\u202e52\u202c \u200fx\u2028y", " 52   x y"),
        ("half \ud800", "half  "),
        ("עברית, 日本語, é", "עברית, 日本語, é"),
        (3, "3"),
    ],
)
def test_a_value_is_shown_without_what_would_act(value: object, shown: str) -> None:
    assert inert(value) == shown


def test_only_what_is_marked_as_markup_is_markup() -> None:
    template = environment("fdd.reporting", inert).from_string("{{ text }} {{ drawn }}")
    assert template.render(text="<b>\0", drawn=Markup("<i>")) == "&lt;b&gt;  <i>"
