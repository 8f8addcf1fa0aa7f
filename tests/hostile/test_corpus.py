"""The corpus of hostile texts: each gets a verdict that is right for it, in time, and reaches nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest

from fdd.agents.verifier import Verifier
from fdd.domain import Reason, Verdict
from tests.hostile.corpus import FILES, Case, load_cases
from tests.hostile.trial import BOUND_SECONDS, Trial, figures, try_all, try_case
from tests.hostile.watch import SECRET, Watch, watching

FINE = Verdict(reason=Reason.ACCEPTED, value=Fraction(42))
CASE = Case(
    thought="pot",
    name="answers",
    text="answer = 42",
    answer=Fraction(42),
    verdicts=frozenset({Reason.ACCEPTED}),
    value=None,
)


@pytest.fixture
def watch() -> Iterator[Watch]:
    with watching() as watch:
        yield watch


@pytest.mark.parametrize("thought", FILES)
def test_every_hostile_text_gets_its_verdict_in_time_and_reaches_nothing(thought: str) -> None:
    assert [str(trial) for trial in try_all(thought, slow=False) if not trial.survived] == []


@pytest.mark.parametrize(("thought", "least"), [("pot", 150), ("eot", 80), ("cot", 80)])
def test_the_corpus_holds_as_many_different_texts_as_were_asked_for(thought: str, least: int) -> None:
    assert len({case.text for case in load_cases(thought, {})}) >= least


def test_a_wrong_verdict_is_noticed(watch: Watch) -> None:
    with Verifier(workers=1) as verifier:
        assert try_case(CASE, verifier, watch).survived
        other = replace(CASE, verdicts=frozenset({Reason.WRONG_ANSWER, Reason.FORBIDDEN}))
        assert (
            try_case(other, verifier, watch).misjudged == "accepted () instead of forbidden or wrong_answer"
        )


def test_a_right_verdict_with_another_value_is_noticed() -> None:
    assert replace(CASE, value=Fraction(41)).fault(FINE) == "comes to 42 instead of 41"


def test_a_text_that_takes_too_long_is_noticed(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hostile.trial.BOUND_SECONDS", 0.1)
    endless = replace(CASE, text="while True:\n    pass", verdicts=frozenset({Reason.TIME_LIMIT}))
    with Verifier(workers=1, seconds=0.5) as verifier:
        trial = try_case(endless, verifier, watch)
    assert trial.hung
    assert not trial.survived


def test_a_verifier_that_raises_is_noticed(watch: Watch) -> None:
    with Verifier(workers=1) as verifier:
        trial = try_case(replace(CASE, thought="telepathy"), verifier, watch)
    assert trial.misjudged is not None
    assert trial.misjudged.startswith("no verdict, but UsageError(")


def test_an_unread_canary_raises_no_alarm(watch: Watch) -> None:
    assert watch.escapes(FINE) == []


def test_a_file_that_was_read_is_noticed(watch: Watch) -> None:
    subprocess.run(["cat", watch.places["secret"]], check=True, stdout=subprocess.DEVNULL)
    assert "secret was opened" in watch.escapes(FINE)
    assert watch.escapes(FINE) == []


def test_a_file_that_was_written_is_noticed(watch: Watch) -> None:
    (watch.folder / "written").write_text("42")
    assert "written was created" in watch.escapes(FINE)


def test_a_connection_is_noticed(watch: Watch) -> None:
    with socket.create_connection(("127.0.0.1", int(watch.places["port"]))):
        assert watch.escapes(FINE) == ["the port was reached"]


def test_a_process_that_a_worker_started_is_noticed(watch: Watch) -> None:
    parent = "import subprocess, sys; subprocess.run(['cat'], stdin=sys.stdin)"
    command = [sys.executable, "-c", f"print(flush=True); {parent}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found: list[str] = []
        while not found:
            found = watch.escapes(FINE)
        assert found[0].startswith("a worker started process ")


def test_a_verdict_that_tells_the_secret_is_noticed(watch: Watch) -> None:
    told = replace(FINE, detail=f"KeyError: {os.environ[SECRET]}")
    assert watch.escapes(told) == ["the verdict tells the secret"]


def test_a_verdict_with_terminal_escapes_is_noticed(watch: Watch) -> None:
    assert watch.escapes(replace(FINE, detail="\x1b[2J")) == ["the verdict holds control characters"]


def test_the_figures_count_each_kind_of_failure() -> None:
    sound = Trial(case=CASE, seconds=0.1, misjudged=None, escapes=())
    wrong = replace(sound, misjudged="accepted")
    escaped = replace(wrong, escapes=("secret was opened", "secret was read"))
    hung = replace(sound, seconds=BOUND_SECONDS + 1)
    assert figures([sound, wrong, escaped, hung]) == (
        "4 cases tried, 1 survived: 2 wrong verdicts, 1 escapes, 1 hangs"
    )
