"""A run's spans at a collector that is a process of its own: all there, once, and never at the run's cost."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from fdd.agents.models.request import CallStatus
from fdd.domain import Reason, content_hash
from fdd.errors import StoppedError
from fdd.graph.run import resume, start
from fdd.main import main
from fdd.rundir import telemetry as module
from fdd.rundir.telemetry import FILE, send_run, telemetry
from fdd.settings import Settings, Telemetry
from fdd.storage.folder import open_store
from fdd.storage.records import SpanRecord, TranscriptRecord
from fdd.storage.store import Store
from fdd.storage.tracing import SpanFilter, select_exchanges, select_spans, select_stages
from tests.graph.settings import model_settings
from tests.graph.test_run import Recorder
from tests.servers.collecting import PATH, Arrived, Collector, collecting
from tests.servers.talking import KEY
from tests.servers.teaching import teaching
from tests.storage.samples import RUN, call

pytestmark = pytest.mark.slow

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS = "authorization=Bearer another-key-that-was-planted"
FOR_EVER = 600.0
"""Seconds; nothing here waits for so long."""
NOBODY = "http://127.0.0.1:9"
STAGES = ("run", "round", "phase")


@dataclass(frozen=True)
class Traced:
    """A run that was stopped and resumed, and what arrived."""

    folder: Path
    stopped: list[Arrived]
    """Before it was resumed."""
    arrived: list[Arrived]
    notices: list[str]

    @property
    def store(self) -> Store:
        return open_store(self.folder)

    @cached_property
    def stored(self) -> dict[str, SpanRecord]:
        """Every span of the tables, by the id that it is sent under."""
        steps = self.store.read(select_spans, SpanFilter(), limit=10**6).spans
        spans = [span for span in steps if span.kind not in STAGES] + self.store.read(select_stages)
        run = self.store.run().id
        return {content_hash(run, span.id)[7:23]: span for span in spans}

    def of(self, kind: str) -> Iterator[tuple[Arrived, SpanRecord]]:
        return ((span, self.stored[span.id]) for span in self.arrived if span.attributes["fdd.kind"] == kind)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    folder = tmp_path_factory.mktemp("traced")
    cache = folder / "cache"
    cache.mkdir()
    recorder = Recorder()
    faults = ("--wrong", "0.2", "--fault", "server_error=0.1", "--fault", "malformed=0.1", "--echo-key")
    with (
        collecting(folder) as collector,
        teaching(folder, "--gsm-symbolic", "0", *faults) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(ENDPOINT, collector.url)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", HEADERS)
        patch.setenv("FDD_SERVER_KEY", KEY)
        patch.setattr(module, "EVERY_SECONDS", 0.05)
        settings = model_settings(server.url, **{"calls.tries": 1})
        with pytest.raises(StoppedError):
            start(
                settings,
                folder / "run",
                recorder,
                cache=cache,
                should_stop=lambda: recorder.phases[-1:] == ["synthesize"],
            )
        stopped = collector.spans()
        resume(folder / "run", recorder, cache=cache)
        return Traced(folder / "run", stopped, collector.spans(), recorder.notices)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with collecting(tmp_path) as collector:
        yield collector


@pytest.fixture
def copy(traced: Traced, tmp_path: Path) -> Path:
    """The folder of the run, of which nothing was sent yet."""
    folder = tmp_path / "run"
    shutil.copytree(traced.folder, folder, symlinks=True)
    (folder / FILE).unlink()
    return folder


def follow(folder: Path, until: Callable[[Recorder], object] = lambda _: True) -> Recorder:
    """What a listener hears when nothing happens but that the run's spans are sent."""
    recorder, store = Recorder(), open_store(folder)
    deadline = time.monotonic() + 300
    with telemetry(store, store.run().id, folder, recorder):
        while not until(recorder) and time.monotonic() < deadline:
            time.sleep(0.02)
    return recorder


def test_every_span_of_the_tables_arrives_once(traced: Traced) -> None:
    assert Counter(span.id for span in traced.arrived) == dict.fromkeys(traced.stored, 1)
    assert {span.trace for span in traced.arrived} == {content_hash(traced.store.run().id)[7:39]}
    assert len({span.request for span in traced.arrived}) > 3
    assert not any("spans" in notice for notice in traced.notices)


def test_every_span_is_a_part_of_what_it_is_stored_as_a_part_of(traced: Traced) -> None:
    by_id = {span.id: span for span in traced.arrived}
    for span in traced.arrived:
        above = traced.stored[span.parent].id if span.parent else ""
        assert traced.stored[span.id].parent == above

    def path(span: Arrived) -> str:
        kind = str(span.attributes["fdd.kind"])
        return f"{path(by_id[span.parent])} {kind}" if span.parent else kind

    paths = {path(span) for span in traced.arrived}
    assert {"run round phase problem agent call", "run round phase problem program"} <= paths
    assert {"run round phase agent call", "run round phase agent"} <= paths


def test_a_part_lies_within_its_whole(traced: Traced) -> None:
    by_id = {span.id: span for span in traced.arrived}
    for span in traced.arrived:
        if span.parent and span.attributes["fdd.kind"] in STAGES:
            assert by_id[span.parent].started <= span.started <= span.ended <= by_id[span.parent].ended


def test_a_call_says_what_the_conventions_ask_for(traced: Traced) -> None:
    calls = {call.id: call for call in traced.store.calls()}
    settings = Settings.from_json(traced.store.run().settings)
    answered = 0
    for span, record in traced.of("call"):
        row = calls[record.subject]
        assert (span.name, span.kind) == ("chat teaching", "CLIENT")
        assert span.attributes.items() >= {
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "teaching"),
            ("gen_ai.request.temperature", settings.calls.temperature),
            ("gen_ai.request.max_tokens", settings.calls.max_reply_tokens),
            ("gen_ai.request.seed", row.seed),
            ("gen_ai.agent.name", row.agent),
            ("fdd.problem.id", row.problem_id),
            ("fdd.cost_usd", row.cost_usd),
            ("fdd.phase", record.phase),
            ("fdd.round", record.round),
        }
        if row.status == CallStatus.ANSWERED:
            answered += 1
            assert span.attributes["gen_ai.usage.input_tokens"] == row.prompt_tokens
            assert span.attributes["gen_ai.usage.output_tokens"] == row.completion_tokens
            assert span.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert answered > 10


def test_agents_and_programs_say_what_the_conventions_ask_for(traced: Traced) -> None:
    for span, record in traced.of("agent"):
        assert span.name == f"invoke_agent {record.agent}"
        assert span.attributes["gen_ai.operation.name"] == "invoke_agent"
        assert span.attributes["gen_ai.agent.name"] == record.agent
    for span, record in traced.of("program"):
        assert span.name == f"execute_tool {record.name}"
        assert span.attributes["gen_ai.operation.name"] == "execute_tool"
        assert span.attributes["gen_ai.tool.name"] == record.name
    for span in traced.arrived:
        assert span.resource["service.name"] == "feedback-driven-distillation"


def test_only_a_call_that_failed_is_an_error(traced: Traced) -> None:
    wrong = {span.id for span in traced.arrived if span.status == "ERROR"}
    failed = {span.id for span, record in traced.of("call") if record.status == CallStatus.FAILED}
    assert wrong == failed != set()
    for span in traced.arrived:
        if span.id in failed:
            assert span.attributes["error.type"] == "server_error"
            assert span.message.startswith("server_error: ")
    verdicts = Counter(span.attributes.get("fdd.verdict") for span, _ in traced.of("program"))
    assert verdicts[Reason.ACCEPTED] > 0
    assert verdicts[Reason.WRONG_ANSWER] > 0


def test_what_has_not_ended_is_not_sent(traced: Traced) -> None:
    stages = {span.name for span in traced.stopped if span.attributes["fdd.kind"] in STAGES}
    assert stages == {"seed", "teach", "baseline", "fine_tune", "refine", "evaluate", "probe"}


def test_no_key_and_no_prompt_is_sent_unasked(traced: Traced) -> None:
    assert {span.authorization for span in traced.arrived} == {"Bearer another-key-that-was-planted"}
    text = json.dumps([[dict(span.attributes), dict(span.resource), span.message] for span in traced.arrived])
    assert "planted" not in text
    assert "messages" not in text
    assert traced.store.problems()[0].question not in text


def test_messages_are_sent_where_they_are_asked_for(traced: Traced, collector: Collector) -> None:
    send_run(traced.store, Telemetry(f"{collector.url}{PATH}", content=True))
    spans = {span.id: span for span in collector.spans()}
    exchanges = traced.store.read(select_exchanges, [record.subject for _, record in traced.of("call")])
    for sent, record in traced.of("call"):
        span, said = spans[sent.id], exchanges[record.subject].transcript
        assert said is not None
        asked = json.loads(str(span.attributes["gen_ai.input.messages"]))
        told = [{"role": turn["role"], "content": turn["parts"][0]["content"]} for turn in asked]
        assert told == said.request["messages"]
        if said.reply is not None:
            (answer,) = json.loads(str(span.attributes["gen_ai.output.messages"]))
            assert answer["parts"] == [{"type": "text", "content": said.reply}]
            assert answer["finish_reason"] == "stop"


def test_a_stored_run_is_sent_with_the_same_spans(
    traced: Traced, collector: Collector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENDPOINT, collector.url)
    assert main(["trace", str(traced.folder), "--otlp"]) == 0
    assert capsys.readouterr().out == f"{len(traced.stored)} spans sent to {collector.url}\n"
    assert main(["trace", str(traced.folder), "--otlp", "--json"]) == 0
    first = {span.id: span.content for span in traced.arrived}
    twice = [span.content for span in collector.spans()]
    assert len(twice) == 2 * len(first)
    assert all(first[str(content[1])] == content for content in twice)


@pytest.mark.parametrize("status", [308, 401, 500])
def test_a_collector_that_fails_for_a_while_misses_nothing(
    traced: Traced, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.05)
    (tmp_path / "failing").mkdir()
    with collecting(tmp_path / "failing", "--fail", "3", "--status", str(status)) as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        notices = follow(copy, until=lambda _: len(collector.spans()) >= len(traced.stored) - 3).notices
        assert {span.id for span in collector.spans()} == set(traced.stored)
    assert len(notices) == 1
    assert f"cannot send spans to {collector.url} (HTTP {status})" in notices[0]
    assert f"python main.py trace {copy} --otlp" in notices[0]


def test_what_was_sent_is_not_sent_again_to_the_same_collector(
    traced: Traced, copy: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, collector.url)
    follow(copy)
    before = len(collector.spans())
    assert before == len(traced.stored)
    follow(copy)
    assert {span.attributes["fdd.kind"] for span in collector.spans()[before:]} == {"run", "round"}
    assert collector.url not in (copy / FILE).read_text()


def test_nobody_there_costs_a_notice(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.5)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.05)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    monkeypatch.setenv(ENDPOINT, NOBODY)
    recorder = follow(copy, until=lambda recorder: recorder.notices)
    assert [notice.partition(": ")[0] for notice in recorder.notices] == [
        f"cannot send spans to {NOBODY} (ConnectionError)"
    ]
    assert main(["trace", str(copy), "--otlp"]) == 1


def test_a_collector_that_hangs_is_waited_for_only_so_long(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.5)
    (tmp_path / "hanging").mkdir()
    with collecting(tmp_path / "hanging", "--hang", str(FOR_EVER)) as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        began = time.monotonic()
        recorder = follow(copy)
        assert time.monotonic() - began < FOR_EVER
    assert [notice.partition(";")[0] for notice in recorder.notices] == [
        f"cannot send the last spans to {collector.url} in 0.5 s"
    ]


@pytest.mark.parametrize("endpoint", ["localhost:4318", "http://[::1"])
def test_a_wrong_address_does_not_end_a_run(
    copy: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENDPOINT, endpoint)
    assert [notice.partition(":")[0] for notice in follow(copy).notices] == ["No spans are sent"]
    assert main(["trace", str(copy), "--otlp"]) == 2
    assert "give http://HOST:PORT" in capsys.readouterr().err


def test_sending_says_what_is_missing(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(copy), "--otlp"]) == 2
    assert "set OTEL_EXPORTER_OTLP_ENDPOINT" in capsys.readouterr().err
    monkeypatch.setenv(ENDPOINT, NOBODY)
    assert main(["trace", str(copy), "--otlp", "--round", "1"]) == 2
    assert "--otlp sends the whole run" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "fdd.rundir.otlp", None)
    assert main(["trace", str(copy), "--otlp"]) == 2
    assert "pip install 'feedback-driven-distillation[otel]'" in capsys.readouterr().err


def test_a_call_waits_until_its_row_is_stored(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While problems are written, spans and transcripts are stored before the calls are."""
    monkeypatch.setenv(ENDPOINT, collector.url)
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    row = call()
    step = SpanRecord(
        id="s-1",
        parent="round-0/synthesize",
        kind="call",
        name=row.model,
        round=0,
        phase="synthesize",
        agent=row.agent,
        status=row.status,
        subject=row.id,
        started=datetime.now(UTC),
        seconds=0.1,
    )
    store.log(round=0, phase="synthesize", kind="started")
    said = TranscriptRecord(call_id=row.id, request={"temperature": 0.5}, reply="r", finish="filtered")
    store.add([step, replace(step, id="s-2", kind="agent"), said])
    assert follow(tmp_path).notices == []
    assert [span.name for span in collector.spans()] == [f"invoke_agent {row.agent}"]
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.05)

    def chatted(_: Recorder) -> bool:
        """Stores the call once the step is sent again, for a bookmark was not put behind it."""
        spans = collector.spans()
        if len(spans) == 2 and not store.calls():
            store.add([row])
            store.log(round=0, phase="synthesize", kind="finished")
        return any(span.name.startswith("chat") for span in spans)

    follow(tmp_path, until=chatted)
    late = {span.name: span for span in collector.spans()[1:]}
    assert {"chat some-model", "synthesize"} <= late.keys()
    assert late["chat some-model"].attributes["gen_ai.usage.input_tokens"] == row.prompt_tokens
    assert late["chat some-model"].attributes["gen_ai.response.finish_reasons"] == ["content_filter"]
