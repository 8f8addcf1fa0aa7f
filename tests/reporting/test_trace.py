"""`trace`: every step of a run, as a tree, for a script, and while the run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import duckdb
import pytest

from fdd.domain import Progress
from fdd.graph.forecast import Clock
from fdd.main import main
from fdd.reporting.trace import follow
from fdd.rundir.lock import held
from fdd.rundir.progress import Heartbeat
from fdd.storage.folder import DATABASE, open_store
from fdd.storage.records import SpanRecord
from fdd.storage.store import Store
from fdd.storage.tracing import SpanFilter, select_exchanges, select_spans
from tests.graph.test_run import Recorder
from tests.storage.samples import RUN

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = 1_000_000


def spans(folder: Path, **wanted: object) -> list[SpanRecord]:
    return open_store(folder).read(select_spans, SpanFilter(**wanted), limit=EVERYTHING).spans  # type: ignore[arg-type]


def trace(folder: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["trace", str(folder), *options]) == 0
    return capsys.readouterr().out


def test_every_text_that_was_judged_has_the_span_of_its_writing_and_of_its_judging(finished: Path) -> None:
    store = open_store(finished)
    texts = {
        rationale.id: rationale.reason for rationale in store.rationales() if rationale.agent == "symbolic"
    }
    judged = {each.subject: each.status for each in spans(finished, kinds=["program"], phases=["teach"])}
    written = {each.subject for each in spans(finished, kinds=["agent"], agents=["teacher"])}
    assert written == texts.keys()
    assert judged == {name: reason for name, reason in texts.items() if name in judged}
    attempts = {each.id for number in (-1, 0, 1) for each in store.attempts(round=number)}
    assert {each.subject for each in spans(finished, agents=["student"])} == attempts


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_run_in_which_nothing_has_happened_has_no_steps(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Store.create(tmp_path / DATABASE, RUN)
    assert "Traceback" not in trace(tmp_path, *options, capsys=capsys)
    assert spans(tmp_path) == []


def test_every_phase_that_ran_is_a_span_and_has_ended(finished: Path) -> None:
    ran = Counter(event.phase for event in open_store(finished).events() if event.kind == "started")
    phases = spans(finished, kinds=["phase"])
    assert Counter(each.name for each in phases) == ran
    assert {each.status for each in phases} == {"finished"}


def test_a_step_lies_within_what_it_is_a_part_of(finished: Path) -> None:
    every = {each.id: each for each in spans(finished)}
    for each in every.values():
        above = every.get(each.parent)
        if above is not None:
            assert above.started.timestamp() <= each.started.timestamp() + 0.05
            assert above.seconds >= each.seconds - 0.05
    assert [each.kind for each in every.values() if each.parent not in every] == ["run"]


def test_a_call_is_a_span_below_the_step_that_made_it_and_carries_its_cost(taught_by_model: Path) -> None:
    store = open_store(taught_by_model)
    asked = {call.id: call for call in store.calls() if call.tries}
    calls = spans(taught_by_model, kinds=["call"])
    assert {each.subject for each in calls} == asked.keys()
    assert all(each.status == asked[each.subject].status for each in calls)
    steps = {each.id: each for each in spans(taught_by_model, kinds=["agent"])}
    assert all(steps[each.parent].agent == each.agent for each in calls)


def test_what_a_model_was_asked_and_answered_is_kept_word_by_word(taught_by_model: Path) -> None:
    store = open_store(taught_by_model)
    asked = [call for call in store.calls() if call.tries]
    assert asked
    exchanges = store.read(select_exchanges, [call.id for call in asked])
    for call in asked:
        transcript = exchanges[call.id].transcript
        assert transcript is not None
        assert transcript.request["messages"]
        assert transcript.reply
    rationale = next(each for each in store.rationales() if each.agent != "symbolic" and each.text)
    transcript = exchanges[rationale.call_id or ""].transcript
    assert transcript is not None
    assert rationale.text.strip() in (transcript.reply or "")


def test_the_tree_shows_a_step_under_its_problem_phase_and_round(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = spans(finished, kinds=["program"], phases=["teach"], rounds=[1])[0]
    shown = trace(finished, "--problem", program.problem_id or "", "--verdict", program.status, capsys=capsys)
    lines = [line.strip("│ └├─").strip() for line in shown.splitlines()]
    assert [line.split("  ")[0] for line in lines[:3]] == [open_store(finished).run().id, "round 1", "teach"]
    assert any(line.startswith("lesson  kept") for line in lines)
    assert any(line.startswith(f"verifier: {program.name}  {program.status}") for line in lines)


def test_a_long_trace_says_how_much_it_leaves_out(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    total = len(spans(finished))
    assert f"the first 3 of {total} steps" in trace(finished, "--limit", "3", capsys=capsys)


def test_json_gives_the_same_spans(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(trace(finished, "--agent", "evaluator", "--json", capsys=capsys))
    decisions = spans(finished, agents=["evaluator"])
    assert found["total"] == len(decisions) > 0
    assert [each["id"] for each in found["spans"]] == [each.id for each in decisions]
    assert {each["status"] for each in found["spans"]} <= {"kept", "undone"}


def test_wrong_filters_are_named(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, complaint in (
        (["--problem", "p-nowhere"], "no problem of this run has an id that begins with 'p-nowhere'"),
        (["--problem", "p-"], "'p-' is the beginning of several ids"),
        (["--kind", "thing"], "invalid choice: 'thing'"),
        (["--limit", "0"], "--limit 0 shows nothing"),
    ):
        assert main(["trace", str(finished), *options]) == 2
        assert complaint in capsys.readouterr().err


def test_following_a_run_that_goes_on_shows_every_step(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sizes = ["--limit", "8", "--test-size", "4", "--held-out-size", "2", "--dev-size", "2"]
    command = [sys.executable, "main.py", "--rounds", "1", "--student", "tiny", "--run-dir", str(folder)]
    with subprocess.Popen([*command, *sizes], cwd=ROOT, stdout=subprocess.DEVNULL) as run:
        while not folder.exists():
            assert run.poll() is None
            time.sleep(0.05)
        news = list(follow(open_store(folder), folder, SpanFilter()))
    assert run.returncode == 0
    steps = {each.id for each in news if isinstance(each, SpanRecord) and each.kind != "phase"}
    assert steps == {each.id for each in spans(folder) if each.kind not in ("run", "round", "phase")}
    assert not (folder / "progress.json").exists()


def test_following_shows_how_far_a_phase_has_come(finished: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "fdd.duckdb", open_store(finished).run())
    heart = Heartbeat(Recorder(), tmp_path, Clock(dict).left)
    with held(tmp_path):
        news = follow(store, tmp_path, SpanFilter())
        for done in range(3):
            progress = Progress(round=0, phase="fine_tune", done=done, total=2, note="loss 1.0")
            heart.advanced(progress)
            heart.beat()
            assert next(news) == progress


def test_following_leaves_the_database_alone_while_nothing_is_stored(finished: Path, tmp_path: Path) -> None:
    path = Store.create(tmp_path / "fdd.duckdb", open_store(finished).run()).path
    store = Store.open(path, patience=0.1)
    store.log(round=0, phase="teach", kind="started")
    heart = Heartbeat(Recorder(), tmp_path, Clock(dict).left)
    with held(tmp_path):
        news = follow(store, tmp_path, SpanFilter())
        assert isinstance(next(news), SpanRecord)
        for done in range(3):
            with duckdb.connect(path) if done == 2 else nullcontext():  # then nobody else can open it
                progress = Progress(round=0, phase="teach", done=done, total=2)
                heart.advanced(progress)
                heart.beat()
                assert next(news) == progress
        store.log(round=0, phase="teach", kind="finished")
        ended = next(news)
    assert isinstance(ended, SpanRecord)
    assert ended.status == "finished"


def test_following_a_finished_run_shows_its_phases_and_ends(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = trace(finished, "--follow", capsys=capsys).splitlines()
    assert len(lines) == len(spans(finished, kinds=["phase"]))
    assert json.loads(trace(finished, "--follow", "--json", capsys=capsys).splitlines()[0])["name"] == "seed"


def test_following_ends_when_nobody_is_at_work(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path / "fdd.duckdb", open_store(finished).run())
    store.log(round=0, phase="teach", kind="started")
    assert main(["trace", str(tmp_path), "--follow"]) == 0
    said = capsys.readouterr()
    assert said.out == "round 0  teach  running  0 s\n"
    assert said.err == f"no process is working on it; go on with: python main.py resume {tmp_path}\n"
