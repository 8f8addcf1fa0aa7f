"""An exam reads an answer as a person would, and tells apart whether it had the form that is taught."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from fdd.agents.verifier import Verifier
from fdd.domain import Reason

PROGRAM = "april = 48\nmay = april / 2\nanswer = april + may"
NAMELESS = PROGRAM.replace("answer", "total")
EQUATIONS = "a = 48\nm * 2 = a\nt = a + m\nsolve for t"


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=2, seconds=0.5) as verifier:
        yield verifier


@pytest.mark.parametrize("thought", ["pot", "cot", "eot", "decompose", "kp_cot", "kp_pot", "cot_pot"])
@pytest.mark.parametrize(
    "text",
    [
        "**72**",
        "The answer is: 72",
        "The answer is **72**.",
        "The answer is 72 clips.",
        "The answer is 72.\nI hope this helps!",
        "The answer is 48 + 24 = 72.",
        "The answer is 72, because 48 + 24 = 72.",
        "The answer is x = 72.",
        "**Answer:** $72.00",
        "Final answer: 72",
        "She sold 24 clips in May.\n#### 72",
        "So she sold $48 + 24 = \\boxed{72}$ clips. Done.",
        "The answer is \\frac{144}{2}.",
        "48 + 24 = 72 clips",
        "72 clips",
        "$72",
        "72.",
        "\\boxed{72}",
        "\\(72\\)",
        "The answer is 71, no.\nThe answer is 72 - I have checked it.",
    ],
)
def test_the_number_that_a_text_names_is_its_value_in_another_form(
    verifier: Verifier, thought: str, text: str
) -> None:
    verdict = verifier.judge_attempt(thought, text, Fraction(72))
    assert (verdict.reason, verdict.value, verdict.form) == (Reason.ACCEPTED, Fraction(72), False)
    assert verifier.judge(thought, text, Fraction(72)).value is None


@pytest.mark.parametrize("thought", ["pot", "cot"])
@pytest.mark.parametrize("text", ["**Answer:** 0.6666666666666666", "The answer is 0.6666666666666666 pies."])
def test_a_float_means_the_same_number_in_a_text_and_in_a_reference(
    verifier: Verifier, thought: str, text: str
) -> None:
    assert verifier.judge_attempt(thought, text, Fraction(2, 3)).reason is Reason.ACCEPTED


@pytest.mark.parametrize("thought", ["pot", "kp_pot", "cot_pot"])
@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{PROGRAM}\n```",
        f"```\n{PROGRAM}",
        f"Here is the program:\n\n```python\n{PROGRAM}\n```\n\nIt prints 70.",
        "```python\napril = 48\n```\nand then\n```python\nanswer = april + april / 2\n```",
        f"{PROGRAM}\nThis is what she sold.",
        f"{PROGRAM}\n\nThe answer is 70.",
        NAMELESS,
        f"{NAMELESS}\nprint(total)",
        f"{NAMELESS}\nprint(f'{{total}} clips')",
        f"{NAMELESS}\nprint(april + may)",
        f"{NAMELESS}\ntotal",
        "print(48 + 48 / 2)",
        "48 + 48 / 2",
        "def sold(april):\n    return april + april / 2\n\nprint(sold(48))",
    ],
)
def test_a_program_counts_in_a_fence_before_a_remark_and_without_the_name_answer(
    verifier: Verifier, thought: str, text: str
) -> None:
    verdict = verifier.judge_attempt(thought, text, Fraction(72))
    assert (verdict.reason, verdict.value, verdict.form) == (Reason.ACCEPTED, Fraction(72), False)


@pytest.mark.parametrize(
    "text",
    [f"```\n{EQUATIONS}\n```", EQUATIONS.replace("solve for t", "**solve for t**"), f"{EQUATIONS}\nt = 72"],
)
def test_equations_count_in_a_fence_and_before_a_remark(verifier: Verifier, text: str) -> None:
    verdict = verifier.judge_attempt("eot", text, Fraction(72))
    assert (verdict.reason, verdict.value, verdict.form) == (Reason.ACCEPTED, Fraction(72), False)


@pytest.mark.parametrize(
    ("thought", "text"),
    [
        ("pot", PROGRAM),
        ("pot", f"{PROGRAM}\nprint(answer)"),
        ("eot", EQUATIONS),
        ("cot", "48 + 24 = 72\nThe answer is 72."),
        ("cot", "The answer is $72."),
        ("cot", "The answer is 72%."),
    ],
)
def test_a_text_in_the_form_that_is_taught_is_judged_as_ever(
    verifier: Verifier, thought: str, text: str
) -> None:
    verdict = verifier.judge_attempt(thought, text, Fraction(72))
    assert verdict == verifier.judge(thought, text, Fraction(72))
    assert (verdict.reason, verdict.form) == (Reason.ACCEPTED, True)


@pytest.mark.parametrize(
    ("thought", "text", "reason", "value"),
    [
        ("cot", "The answer is: 71", Reason.WRONG_ANSWER, 71),
        ("cot", "**-72**", Reason.WRONG_ANSWER, -72),
        ("pot", f"```python\n{PROGRAM} + 1\n```", Reason.WRONG_ANSWER, 73),
        ("pot", f"{PROGRAM} + 1\nThe answer is 72.", Reason.WRONG_ANSWER, 73),
        ("pot", "1 / 0\nanswer = 72", Reason.RUNTIME_ERROR, None),
    ],
)
def test_a_wrong_value_stays_wrong_in_any_form(
    verifier: Verifier, thought: str, text: str, reason: Reason, value: int | None
) -> None:
    verdict = verifier.judge_attempt(thought, text, Fraction(72))
    assert (verdict.reason, verdict.value) == (reason, None if value is None else Fraction(value))


@pytest.mark.parametrize("thought", ["pot", "cot", "eot", "decompose", "kp_cot"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "no idea",
        "The answer is not 72.",
        "The answer is 48 or 72.",
        "She sold 48 in April and 72 in all.",
        "The answer is 7 2",
        "The answer is >= 72",
        "The answer is 72i",
        "The answer is 72.0.0",
        "72 73",
        "\\boxed{48 + 24}",
        "The answer is seventy-two.",
        "The answer is 72/0.",
    ],
)
def test_a_text_that_names_no_single_number_has_no_value(verifier: Verifier, thought: str, text: str) -> None:
    verdict = verifier.judge_attempt(thought, text, Fraction(72))
    assert verdict == verifier.judge(thought, text, Fraction(72))
    assert (verdict.accepted, verdict.value, verdict.form) == (False, None, False)


def test_an_answer_that_was_cut_off_has_no_value_in_any_form(verifier: Verifier) -> None:
    verdict = verifier.judge_attempt("cot", "The answer is: 72", Fraction(72), finished=False)
    assert (verdict.reason, verdict.value, verdict.form) == (Reason.NO_ANSWER, None, False)


def test_many_answers_are_judged_in_their_order(verifier: Verifier) -> None:
    verdicts = verifier.judge_attempts(("cot", f"**{n}**", Fraction(n), True) for n in range(20))
    assert [verdict.value for verdict in verdicts] == list(range(20))


@pytest.mark.parametrize(
    ("thought", "text", "right"),
    [
        ("cot", "The answer is 25%.", 25),
        ("cot", "The answer is 25.", 25),
        ("pot", "answer = 20 * 100 / 80", 25),
        ("pot", "**25%**", 25),
        ("cot", "The answer is 0.25.", Fraction(1, 4)),
        ("pot", "answer = 20 / 80", Fraction(1, 4)),
        ("eot", "80 * x = 20\nsolve for x", Fraction(1, 4)),
    ],
)
def test_a_percentage_is_the_number_before_its_sign_in_every_format(
    verifier: Verifier, thought: str, text: str, right: Fraction | int
) -> None:
    assert verifier.judge_attempt(thought, text, Fraction(25)).accepted == (right == 25)
    assert verifier.judge_attempt(thought, text, Fraction(1, 4)).accepted == (right != 25)


@pytest.mark.parametrize(
    ("value", "reference", "reason"),
    [
        ("10 / 3", "3.33", Reason.ROUNDED_REFERENCE),
        ("-10 / 3", "-3.33", Reason.ROUNDED_REFERENCE),
        ("2 / 3", "0.67", Reason.ROUNDED_REFERENCE),
        ("2 / 3", "0.66", Reason.ROUNDED_REFERENCE),
        ("14.875", "14.88", Reason.ROUNDED_REFERENCE),
        ("10 / 3", "3.34", Reason.WRONG_ANSWER),
        ("10 / 3", "3", Reason.WRONG_ANSWER),
        ("10 / 3", "3.3", Reason.WRONG_ANSWER),
        ("3.33", "10/3", Reason.WRONG_ANSWER),
        ("3.35", "3.33", Reason.WRONG_ANSWER),
        ("10 / 3", "10/3", Reason.ACCEPTED),
    ],
)
def test_a_reference_that_was_rounded_by_hand_is_wrong_with_a_reason_of_its_own(
    verifier: Verifier, value: str, reference: str, reason: Reason
) -> None:
    assert verifier.judge("pot", f"answer = {value}", Fraction(reference)).reason is reason


@pytest.mark.parametrize("thought", ["pot", "cot", "eot", "kp_pot", "decompose"])
@pytest.mark.parametrize(
    "text",
    [
        "```\nwhile True:\n    pass\n```\n" * 50,
        "x = 5 then\n" * 1800,
        "@a\n" * 6000 + "def f(): pass",
        "-" * 19000 + "1",
        "x" + ".a" * 9000,
        "1" + " + 1" * 4500,
        "answer:" + " " * 19000,
        "the answer is " * 1400,
        "=" * 19000,
        "`" * 19000,
        "\\boxed{" * 2800,
        "solve for x\n" * 1600,
    ],
)
def test_broken_texts_are_read_in_the_end(verifier: Verifier, thought: str, text: str) -> None:
    assert not verifier.judge_attempt(thought, text, Fraction(71)).accepted
