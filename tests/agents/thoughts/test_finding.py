"""Thoughts found by their names, those of this project and anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from fdd.agents.symbolic.derivation import Constant, Derivation, Operation, Step
from fdd.agents.thoughts import known, thought
from fdd.agents.verifier import Verifier
from fdd.domain import Reason
from fdd.errors import UsageError

TELEGRAM = '''
"""A toy format: everything in one line, the answer behind a dash."""

from fractions import Fraction

from fdd.agents.thoughts.base import Outcome
from fdd.domain import Reason


class Telegram:
    cue = "Write a telegram."
    prompt = "Write one line: `kites in June 24 - answer 54`."

    def render(self, derivation):
        names = " ".join(f"{step.name} {step.value}" for step in derivation.steps)
        return f"{names} - answer {derivation.answer}"

    def outcome(self, text, sandbox):
        _, found, answer = text.partition(" - answer ")
        if not found:
            return Outcome(value=None, reason=Reason.NO_ANSWER, detail="it names no answer")
        return Outcome(value=Fraction(answer))


THOUGHT = Telegram()
'''


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as verifier:
        yield verifier


@pytest.fixture
def telegram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dotted name of a format that lives outside this project."""
    package = tmp_path / "postal"
    package.mkdir()
    (package / "telegram.py").write_text(TELEGRAM)
    (package / "empty.py").write_text("THOUGHT = 'nothing'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "postal.telegram"


def test_the_formats_of_the_project_are_known_by_the_names_of_their_files() -> None:
    assert known() == ("cot", "cot_pot", "decompose", "eot", "kp_cot", "kp_pot", "pot")


@pytest.mark.parametrize("name", known())
def test_every_format_has_a_cue_of_its_own_in_one_line(name: str) -> None:
    cues = [thought(each).cue for each in known()]
    assert cues.count(thought(name).cue) == 1
    assert "\n" not in thought(name).cue


@pytest.mark.parametrize("name", known())
def test_every_format_tells_a_teacher_how_it_is_written_in_lines_that_fit(name: str) -> None:
    lines = thought(name).prompt.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 110


def test_a_format_from_outside_renders_by_its_dotted_name(telegram: str) -> None:
    half = Operation("/", Constant(Fraction(48)), Constant(Fraction(2)))
    derivation = Derivation("", (), (Step(half, Fraction(24), "kites_in_june", ""),))
    assert thought(telegram).render(derivation) == "kites_in_june 24 - answer 24"


def test_a_format_from_outside_has_its_cue_and_prompt(telegram: str) -> None:
    assert thought(telegram).cue == "Write a telegram."
    assert "one line" in thought(telegram).prompt


def test_the_verifier_judges_a_format_from_outside(telegram: str, verifier: Verifier) -> None:
    reasons = [
        verifier.judge(telegram, text, Fraction(24)).reason
        for text in ("kites 24 - answer 24", "kites 24 - answer 25", "kites 24")
    ]
    assert reasons == [Reason.ACCEPTED, Reason.WRONG_ANSWER, Reason.NO_ANSWER]


@pytest.mark.parametrize("name", ["poem", "base", "", ".pot", "pot.", "../pot", "a b.c"])
def test_what_is_no_format_is_refused_with_those_known(name: str) -> None:
    with pytest.raises(UsageError, match="choose from cot, cot_pot, decompose, eot, kp_cot, kp_pot, pot"):
        thought(name)


def test_a_module_that_cannot_be_imported_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"'postal\.pigeon' cannot be imported .* PYTHONPATH"):
        thought("postal.pigeon")


@pytest.mark.usefixtures("telegram")
@pytest.mark.parametrize("module", ["postal.empty", "fdd.agents.verifier"])
def test_a_module_without_a_format_is_refused_with_what_to_do(module: str) -> None:
    with pytest.raises(UsageError, match=rf"{module!r} has no THOUGHT .*: give it one with cue, prompt"):
        thought(module)
