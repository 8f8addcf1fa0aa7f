"""Texts for property tests: pieces that the parsers know, in any order, with arbitrary text in between."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

bounded = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Settings that give the same examples every time, on slow machines too."""

_NUMBERS = (
    "0 1 2 7 48 1,200 2.50 .5 3/4 1/0 25% 100% half twice third twenty-one dozen ٣ ² 1e5 $5 -3 007 1,2,3 "
    "99999999999999999999 0.1.2 1.50% hundred 3rd"
)
_WORDS = (
    "How many apples? If there are Tom and Mary's friends, each gets more than half of the total, so she has "
    "left per day cents million - • 1. #### The answer is answer What Find calculate"
)
SIGNS = ("+", "-", "*", "/", "x", "×", "÷", "=", "==", "(", ")", "[", "<<", ">>", "%", "of", "−", "**")
GAPS = ("", " ", "  ", "\n", "\n\n", ". ", ", ", "? ", ".\n", "\t", "\u00a0", "\u2028", "\r\n", "\x00")

PIECES = st.sampled_from((*_NUMBERS.split(), *SIGNS, *_WORDS.split())) | st.text(max_size=3)
PROSE = st.lists(st.tuples(PIECES, st.sampled_from(GAPS)), max_size=40).map(
    lambda pairs: "".join(piece + gap for piece, gap in pairs)
)
"""Text that may resemble a question or a solution."""

TAGGED = st.lists(
    st.sampled_from(("<", "\\", "/", "|", ">", "problem", "</problem>", "<|im_end|>", "｜", "<\\/", " "))
    | st.text(max_size=2)
).map("".join)

EQUATION_PIECES = st.sampled_from(
    (
        *("x", "y", "clips_in_may", "_", "class", "answer", "e5"),
        *("0", "1", "2", "48", ".5", "2.50", "007", "1e5", "٣"),
        *("+", "-", "*", "/", "**", "(", ")", "=", "==", ",", ".", "[", "\n", " ", "\t"),
    )
)
EQUATIONS = st.lists(EQUATION_PIECES, max_size=25).map("".join)
SYSTEMS = st.lists(EQUATIONS, max_size=5).map(lambda lines: "\n".join([*lines, "solve for x"]))
