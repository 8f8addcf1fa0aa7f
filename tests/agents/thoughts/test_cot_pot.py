"""An explanation and a program in one text."""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from fdd.agents.checking.sandbox import LimitedSandbox
from fdd.agents.thoughts import thought
from fdd.domain import Reason

GOOD = (
    "Explanation:\nIt sold 48 / 2 = 24 kites in June.\nIt sold 48 + 24 = 72 kites in all.\n"
    "Program:\nin_june = 48 / 2\nanswer = 48 + in_june"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LimitedSandbox]:
    with LimitedSandbox(workers=1) as sandbox:
        yield sandbox


def test_the_program_gives_the_answer(sandbox: LimitedSandbox) -> None:
    assert thought("cot_pot").outcome(GOOD, sandbox).value == Fraction(72)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("= 24 kites", "= 25 kites"), Reason.WRONG_ARITHMETIC),
        (GOOD.removeprefix("Explanation:\n"), Reason.NO_ANSWER),
        (GOOD.replace("Program:\n", ""), Reason.NO_ANSWER),
        (GOOD + "\nProgram:\nanswer = 72", Reason.NO_ANSWER),
        ("Explanation:\nProgram:\nanswer = 48 + 24", Reason.NO_ANSWER),
        ("", Reason.NO_ANSWER),
        (GOOD.replace("answer = ", "total = "), Reason.NO_ANSWER),
    ],
)
def test_a_text_that_is_incomplete_or_wrong_is_refused(
    text: str, reason: Reason, sandbox: LimitedSandbox
) -> None:
    assert thought("cot_pot").outcome(text, sandbox).reason is reason
