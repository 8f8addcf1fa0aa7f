"""The whole loop with a teacher that is wrong every fifth time, behind a server with faults of every kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fdd.domain import Reason
from fdd.graph.run import start
from fdd.graph.state import RunState
from fdd.problems.jsonl import read_jsonl
from fdd.settings import Settings
from fdd.storage.folder import open_store
from fdd.storage.store import Store
from tests.graph.settings import model_settings
from tests.graph.test_run import Recorder, rows
from tests.servers.manner import Act
from tests.servers.teaching import TeachingServer, teaching

pytestmark = pytest.mark.slow

FAULTS = ("malformed", "truncated", "rate_limited", "retry_after", "server_error", "hang", "dropped", "slow")


@dataclass(frozen=True)
class Faulty:
    """A finished run."""

    server: TeachingServer
    folder: Path
    cache: Path
    knowledge: Path
    """What the server wrote and knows the answers of."""
    state: RunState

    @property
    def store(self) -> Store:
        return open_store(self.folder)


def patient(server: TeachingServer) -> Settings:
    """Half of the requests fail. With many tries no call does, on a slow machine either."""
    return model_settings(server.url, **{"calls.tries": 30})


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    folder = tmp_path_factory.mktemp("faulty")
    cache = folder / "cache"
    cache.mkdir()
    written = folder / "written.jsonl"
    rates = [option for fault in FAULTS for option in ("--fault", f"{fault}=0.1")]
    times = ("--hang-seconds", "3", "--slow-seconds", "0.5", "--retry-after", "1")
    known = ("--gsm-symbolic", "0", "--state", str(written))
    with teaching(folder, *known, "--wrong", "0.2", *rates, *times) as server:
        state = start(patient(server), folder / "run", Recorder(), cache=cache)
        yield Faulty(server, folder / "run", cache, written, state)


def test_a_run_with_a_faulty_teacher_gets_to_its_end(faulty: Faulty) -> None:
    happened = {entry.done for entry in faulty.server.log()}
    assert {Act(fault) for fault in FAULTS} - happened <= {Act("slow")}
    assert faulty.state.problems > 0
    assert faulty.store.verify() == []


def test_no_problem_is_lost_on_the_way(faulty: Faulty) -> None:
    """Everything that was to be taught has an outcome, and so has every parent."""
    store = faulty.store
    for row in store.summary()["rounds"]:
        asked = {problem.id for problem in store.problems(splits=["seed", "generated"], round=row["round"])}
        outcomes = {r.problem_id: r.reason for r in store.rationales(round=row["round"])}
        assert outcomes.keys() == asked
        pairs = {(r.problem_id, r.thought) for r in store.rationales(round=row["round"])}
        assert row["accepted"] + row["quarantined"] + row["failed"] == len(pairs)
    parents = len(store.problems(splits=["seed"], round=1))
    removed = sum(store.summary()["rounds"][1]["removed"].values())
    assert len(store.problems(splits=["generated"])) + removed == parents


def test_no_wrong_rationale_is_taught_although_every_fifth_is_wrong(faulty: Faulty) -> None:
    right = {problem.question: problem.answer for problem in read_jsonl(faulty.knowledge)}
    lessons = faulty.store.training_set(round=1)
    generated = [lesson for lesson in lessons if lesson.problem.parent]
    assert generated
    assert [lesson for lesson in generated if right[lesson.problem.question] != lesson.rationale.value] == []
    assert any(entry.wrong for entry in faulty.server.log())


def test_every_text_of_a_model_names_the_call_that_gave_it(faulty: Faulty) -> None:
    calls = {call.id: call for call in faulty.store.calls()}
    for rationale in faulty.store.rationales():
        call = calls[rationale.call_id or ""]
        assert (call.status == "answered") == bool(rationale.text) or rationale.reason is Reason.DECLINED
        assert call.problem_id == rationale.problem_id


def test_calls_are_counted_by_agent(faulty: Faulty) -> None:
    cost = faulty.store.summary()["cost"]
    assert {row["agent"] for row in cost["by_agent"]} == {"teacher", "synthesizer", "verifier"}
    statuses = Counter(call.status for call in faulty.store.calls())
    assert statuses["malformed"] > 0
    assert statuses["truncated"] > 0


def test_the_same_run_again_asks_nobody(faulty: Faulty, tmp_path: Path) -> None:
    before = len(faulty.server.log())
    # A call that failed is not kept, so it would be tried again.
    assert "failed" not in {call.status for call in faulty.store.calls()}
    start(patient(faulty.server), tmp_path / "again", Recorder(), cache=faulty.cache)
    assert len(faulty.server.log()) == before
    assert rows(tmp_path / "again") == rows(faulty.folder)
    total = open_store(tmp_path / "again").summary()["cost"]["total"]
    assert (total["paid"], total["cost_usd"]) == (0, 0.0)
