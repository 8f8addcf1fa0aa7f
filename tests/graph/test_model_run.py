"""The whole loop with a language model as teacher, synthesizer and judge, behind servers good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from fdd.agents.models.limiter import FIRST
from fdd.agents.models.prompting import quote
from fdd.errors import LimitReachedError, ProviderError, UsageError
from fdd.graph.agents import CALLS
from fdd.graph.run import preview, resume, start
from fdd.main import main
from fdd.settings import Settings
from fdd.storage.call_cache import CallCache
from fdd.storage.codec import select
from fdd.storage.folder import open_store
from fdd.storage.records import SpanRecord
from fdd.storage.summary import probed_skills
from fdd.storage.tracing import select_exchanges
from tests.graph.settings import model_settings, tiny_settings
from tests.graph.test_run import Recorder
from tests.servers.fixed import fixed
from tests.servers.serving import serving
from tests.servers.talking import KEY
from tests.servers.teaching import TeachingServer, teaching

PRICES = "['openai:teaching']\ninput = 1000\noutput = 1000\n"
"""US dollars a million tokens, so that every call costs about a dollar, ..."""
DEAREST = 1.5
"""... and none more than this."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TeachingServer]:
    """One at which nothing goes wrong, and which answers one request after the other."""
    with teaching(tmp_path, "--gsm-symbolic", "0", "--latency", "0.05", "--capacity", "1") as server:
        yield server


def test_a_run_stops_at_its_limit_and_goes_on_with_a_higher_one(
    server: TeachingServer, tmp_path: Path
) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    paid = {"calls.prices": str(tmp_path / "prices.toml"), "calls.max_cost": 12.0}
    folder = tmp_path / "run"
    with pytest.raises(LimitReachedError, match=r"--max-cost 12 is reached: .* resume DIR --max-cost"):
        start(model_settings(server.url, **paid), folder, Recorder(), cache=tmp_path)
    with CallCache(tmp_path / CALLS) as cache:
        spent = cache.spent(open_store(folder).run().id)
    assert 12 <= spent.cost_usd < 12 + DEAREST
    assert (folder / "student" / "model.safetensors").is_file()
    resume(folder, Recorder(), cache=tmp_path, changes={"calls.max_cost": 1000})
    assert open_store(folder).summary()["rounds"][-1]["evaluations"]


def test_a_model_that_writes_by_skill_sees_what_the_student_got_wrong(
    server: TeachingServer, tmp_path: Path
) -> None:
    skills = {"recipe": "skills", "allocation": "weak", "budget": 6, "siblings": 1, "problems.limit": 6}
    start(model_settings(server.url, **skills), tmp_path / "run", Recorder(), cache=tmp_path)
    store = open_store(tmp_path / "run")
    written = store.problems(splits=["generated"])
    assert len(written) == 6
    answers = [attempt.text for attempt in store.attempts(round=0, purpose="probe")]
    asked_for = store.read(select_exchanges, [problem.call_id or "" for problem in written])
    for problem in written:
        transcript = asked_for[problem.call_id or ""].transcript
        assert transcript
        messages = cast("list[dict[str, str]]", transcript.request["messages"])
        asked = messages[-1]["content"]
        assert "<student_wrote>" in asked
        assert any(quote(text) in asked for text in answers)


def test_a_model_names_the_skills_of_the_seeds_and_labels_each(
    server: TeachingServer, tmp_path: Path
) -> None:
    skills = {"recipe": "skills", "allocation": "weak", "skills": "model", "budget": 4, "siblings": 1}
    settings = model_settings(server.url, **skills, **{"problems.limit": 12})
    foreseen = preview(settings, cache=tmp_path)
    assert next(each.calls for each in foreseen.expenses if each.agent == "labeller") == 12 + 1
    start(settings, tmp_path / "run", Recorder(), cache=tmp_path)
    store = open_store(tmp_path / "run")
    labels = {problem.skill for problem in store.problems(splits=["seed"])}
    assert (
        {"addition last", "product last"} < labels <= {"addition last", "product last", "another last step"}
    )
    assert {row["skill"] for row in store.read(probed_skills)} <= labels
    calls = [call for call in store.calls() if call.agent == "labeller"]
    assert len({call.problem_id for call in calls}) == len(calls) == 12 + 1


def test_only_a_teacher_that_is_a_model_can_name_skills(tmp_path: Path) -> None:
    settings = replace(tiny_settings("weak"), skills="model")
    with pytest.raises(UsageError, match="--skills model: the teacher 'symbolic' is no model"):
        start(settings, tmp_path / "run", Recorder(), cache=tmp_path)
    assert not (tmp_path / "run").exists()


def test_what_a_run_has_paid_counts_with_another_cache_as_well(
    server: TeachingServer, tmp_path: Path
) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    paid = {"calls.prices": str(tmp_path / "prices.toml"), "calls.max_cost": 6.0}
    folder, other = tmp_path / "run", tmp_path / "other"
    with pytest.raises(LimitReachedError):
        start(model_settings(server.url, **paid), folder, Recorder(), cache=tmp_path)
    before = len(server.log())
    other.mkdir()
    with pytest.raises(LimitReachedError, match=r"--max-cost 6 is reached"):
        resume(folder, Recorder(), cache=other)
    assert len(server.log()) - before <= FIRST


def test_a_run_that_was_put_off_for_hours_loses_no_problem_and_goes_on_later(tmp_path: Path) -> None:
    for name in ("busy", "free"):
        (tmp_path / name).mkdir()
    given, folder = ("--gsm-symbolic", "0"), tmp_path / "run"
    with teaching(tmp_path / "busy", *given, "--fault", "retry_after=1", "--retry-after", "7200") as server:
        url = server.url
        with pytest.raises(ProviderError, match=r"openai:teaching: the server asks to wait 7200 s"):
            start(model_settings(url), folder, Recorder(), cache=tmp_path)
    assert open_store(folder).calls() == []
    port = str(urlsplit(url).port)
    with teaching(tmp_path / "free", *given, "--port", port):
        resume(folder, Recorder(), cache=tmp_path)
    assert {call.status for call in open_store(folder).calls() if call.agent == "teacher"} == {"answered"}


def test_a_limit_of_money_without_a_price_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    settings = model_settings("", **{"calls.max_cost": 1, "teacher": "openai:unheard-of"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        with pytest.raises(UsageError, match="--max-cost needs the price"):
            start(settings, tmp_path / "run", Recorder(), cache=tmp_path)
    assert not (tmp_path / "run").exists()


PUBLIC = {"teacher": "deepseek-chat", "teacher_url": "https://api.deepseek.com/v1"}


def test_a_limit_of_money_needs_a_price_at_a_server_that_may_send_a_bill(tmp_path: Path) -> None:
    settings = model_settings("", **PUBLIC, **{"calls.max_cost": 5})
    for begin in (
        lambda s: preview(s, cache=tmp_path),
        lambda s: start(s, tmp_path / "run", Recorder(), cache=tmp_path),
    ):
        with pytest.raises(UsageError, match="--max-cost needs the price of 'openai:deepseek-chat' at"):
            begin(settings)
    assert not (tmp_path / "run").exists()


def test_a_dry_run_knows_no_cost_of_a_server_that_may_send_a_bill(tmp_path: Path) -> None:
    assert {row.cost_usd for row in preview(model_settings("", **PUBLIC), cache=tmp_path).expenses} == {None}


@pytest.mark.parametrize("name", ["teaching", "openai:teaching"])
def test_a_dry_run_finds_the_price_that_the_run_pays(name: str, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    given = {"teacher": name, "calls.prices": str(tmp_path / "prices.toml")}
    expenses = preview(model_settings("http://127.0.0.1:9/v1", **given), cache=tmp_path).expenses
    assert {row.model for row in expenses} == {"openai:teaching"}
    assert all(row.cost_usd for row in expenses)


def test_a_dry_run_foresees_the_calls_and_asks_nobody(server: TeachingServer, tmp_path: Path) -> None:
    plan = preview(model_settings(server.url), cache=tmp_path)
    assert plan.problems["seeds of round 1"] == 8
    assert [(row.round, row.agent, row.calls) for row in plan.expenses] == [
        (0, "teacher", 8),
        (1, "synthesizer", 8),
        (1, "verifier", 32),
        (1, "teacher", 8),
    ]
    assert server.log() == []


def test_a_dry_run_foresees_that_all_that_was_taught_is_probed_again(
    server: TeachingServer, tmp_path: Path
) -> None:
    ways = {"rounds": "2", "reprobe": "true", "initial_share": "1"}
    plan = preview(model_settings(server.url, **ways), cache=tmp_path)
    assert [(row.round, row.calls) for row in plan.expenses if row.agent == "synthesizer"] == [
        (1, 16),
        (2, 32),
    ]


def test_a_key_is_written_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even when a careless server quotes it in its errors."""
    for name in ("cache", "server"):
        (tmp_path / name).mkdir()
    recorder = Recorder()
    with (
        pytest.MonkeyPatch.context() as patch,
        teaching(tmp_path / "server", "--gsm-symbolic", "0", "--echo-key", "--fail-after", "12") as server,
    ):
        patch.setenv("FDD_SERVER_KEY", KEY)
        settings = model_settings(server.url, rounds=0, synthesizer="symbolic", **{"calls.tries": 2})
        start(settings, tmp_path / "run", recorder, cache=tmp_path / "cache")
    details = [call.detail for call in open_store(tmp_path / "run").calls()]
    assert any("***" in detail for detail in details)
    written = [file for part in ("run", "cache") for file in (tmp_path / part).rglob("*") if file.is_file()]
    assert [file for file in written if KEY.encode() in file.read_bytes()] == []
    said = capfd.readouterr()
    assert KEY not in said.out + said.err + json.dumps(recorder.notices)


def test_a_password_in_the_url_of_a_server_is_written_nowhere(tmp_path: Path, server: TeachingServer) -> None:
    folder, url = tmp_path / "run", server.url.replace("//", "//me:hunter22@")
    start(model_settings(url, rounds=0, synthesizer="symbolic"), folder, Recorder(), cache=tmp_path)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in written if b"hunter22" in file.read_bytes()] == []
    with pytest.raises(UsageError, match=r"stored without its user and password: give the whole URL again"):
        resume(folder, Recorder(), cache=tmp_path)
    assert resume(folder, Recorder(), cache=tmp_path, changes={"teacher_url": url}).problems > 0


def test_a_problem_writer_that_is_a_model_needs_a_judge_that_is_one(tmp_path: Path) -> None:
    settings = model_settings("", teacher="symbolic", synthesizer="openai:x", synthesizer_url="http://x/v1")
    with pytest.raises(UsageError, match="give --judge"):
        start(settings, tmp_path / "run", Recorder(), cache=tmp_path)


@pytest.mark.slow
def test_a_run_with_a_real_small_model_as_teacher_gets_to_its_end(
    tmp_path: Path, embedded: Path, record_property: Callable[[str, object], None]
) -> None:
    """It understands sums of apples; most of the rest that it writes is quarantined."""
    file = tmp_path / "sums.jsonl"
    file.write_text("".join(json.dumps(add(n)) + "\n" for n in range(2, 14)))
    folder = tmp_path / "run"
    with serving(embedded, tmp_path) as server:
        settings = model_settings(
            server.url,
            **{
                "teacher": f"openai:{server.model}",
                "thoughts": "cot",
                "solutions": 2,
                "problems.name": str(file),
                "problems.limit": 4,
                "calls.seconds": 300,
                "calls.temperature": 0,
                "calls.max_reply_tokens": 96,
            },
        )
        start(settings, folder, Recorder(), cache=tmp_path)
    summary = open_store(folder).summary()
    assert [row["round"] for row in summary["rounds"] if row["evaluations"]] == [0, 1]
    for row in summary["rounds"]:
        record_property(f"round {row['round']}", f"{row['accepted']} accepted, {row['quarantined']} not")
    assert open_store(folder).verify() == []


SUMS = (
    "There are {n} plums in a bowl. Ann puts {more} plums beside them. What is the sum of all these plums?",
    "After {n} goals in May, Ben scored {more} goals in June. Find his goals in both months.",
    "Cleo has {n} apples and picks {more} more. How many apples does Cleo have now?",
    "Dan paid ${n} for bread and ${more} for cheese. What did both cost together?",
)
"""So different that those of one are taught although others are asked."""


def add(n: int) -> dict[str, str]:
    more, total = n + 3, 2 * n + 3
    question = SUMS[n % len(SUMS)].format(n=n, more=more)
    return {
        "question": question,
        "answer": f"That is {n} + {more} = <<{n}+{more}={total}>>{total}.\n#### {total}",
    }


UNKNOWN = {"error": {"message": "Model 'teaching' has not been loaded.", "param": None}}


def all_at_once(url: str, **more: object) -> Settings:
    """A run whose first round already has all 16 problems."""
    return model_settings(url, rounds=0, synthesizer="symbolic", **more)


def test_a_teacher_that_rejects_everything_is_asked_a_few_times_and_leaves_a_run_to_look_at(
    tmp_path: Path,
) -> None:
    said = "the first 5 requests were rejected: HTTP 400: Model 'teaching' has not been loaded"
    with fixed(400, UNKNOWN) as server, pytest.raises(ProviderError, match=said):
        start(all_at_once(f"{server.url}/v1"), tmp_path / "run", Recorder(), cache=tmp_path)
    assert len(server.paths) < 10
    assert {call.status for call in open_store(tmp_path / "run").calls()} == {"failed"}


def test_a_teacher_whose_replies_are_all_cut_off_is_paid_for_a_few(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "First I count."}
    body = {
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "length", "message": message}],
    }
    with fixed(200, body) as server, pytest.raises(ProviderError, match="a higher --max-reply-tokens"):
        start(all_at_once(f"{server.url}/v1"), tmp_path / "run", Recorder(), cache=tmp_path)
    assert len(server.paths) < 16
    assert {call.status for call in open_store(tmp_path / "run").calls()} == {"truncated"}


def test_a_teacher_that_fails_at_a_handful_of_problems_is_named_with_its_reason(tmp_path: Path) -> None:
    with fixed(400, UNKNOWN) as server, pytest.raises(ProviderError) as failed:
        few = all_at_once(f"{server.url}/v1", **{"problems.limit": 3})
        start(few, tmp_path / "run", Recorder(), cache=tmp_path)
    said = str(failed.value)
    assert "explained none of 3 (call_failed 3), most often: rejected: HTTP 400: Model" in said
    assert "make its server answer such requests, then start a new run; `python main.py trace " in said
    assert len(open_store(tmp_path / "run").calls()) == 3


def test_a_run_whose_url_was_wrong_goes_on_with_another(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with teaching(tmp_path, "--gsm-symbolic", "0") as server:
        with fixed(404, {"detail": "Not Found"}) as other, pytest.raises(ProviderError, match="lacks /v1"):
            start(all_at_once(other.url), folder, Recorder(), cache=tmp_path)
        state = resume(folder, Recorder(), cache=tmp_path, changes={"teacher_url": server.url})
    assert state.problems > 0
    assert {call.status for call in open_store(folder).calls() if call.tries} == {"answered"}


def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDD_SERVER_KEY", f"{KEY}\n")
    with pytest.raises(UsageError, match="the key in FDD_SERVER_KEY cannot be sent") as refused:
        start(model_settings("http://127.0.0.1:9/v1"), tmp_path / "run", Recorder(), cache=tmp_path)
    assert KEY not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_sees_the_wrong_answer_of_the_student_to_what_it_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0") as server:
        named = ("--recipe", "daslam", "--teacher", "openai:teaching", "--teacher-url", server.url)
        sizes = ("--limit", "12", "--test-size", "2", "--dev-size", "2", "--max-new-tokens", "8")
        given = (*named, *sizes, "--student", "tiny", "--run-dir", str(tmp_path / "run"))
        assert main(["--rounds", "1", *given]) == 0
    store = open_store(tmp_path / "run")
    wrong = {each.problem_id: each for each in store.attempts(round=0, purpose="probe") if each.text}
    seeds = {each.id for each in store.problems(splits=["seed"], round=1)}
    calls = {each.id: each for each in store.calls() if each.agent == "teacher"}
    seen = set()
    for call, exchange in store.read(select_exchanges, list(calls)).items():
        assert exchange.transcript
        messages = cast("list[dict[str, str]]", exchange.transcript.request["messages"])
        problem, asked = calls[call].problem_id or "", messages[-1]["content"]
        if "<attempt>" in asked:
            assert not wrong[problem].reason.accepted
            assert quote(wrong[problem].text) in asked and "<worked_solution>" in asked
            seen.add(problem)
    assert seen == seeds & wrong.keys() != set()
    assert not any(each.repaired for each in store.rationales(round=1) if each.problem_id in seen)
    capsys.readouterr()
    for refused, told in (
        (["--explain-attempts"], "--explain-attempts needs a model to read them"),
        ([*named, "--allocation", "weak"], "needs seeds that are kept back and probed"),
        ([*named, "--adds", "repeat"], "needs seeds that are kept back and probed"),
        ([*named, "--solver", "tiny", "--thoughts", "decompose"], "answers by itself: drop --solver"),
    ):
        assert main(["--rounds", "1", "--student", "tiny", *refused]) == 2
        assert told in capsys.readouterr().err


def test_a_dearer_model_explains_only_what_the_teacher_could_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cheap", "dear"):
        (tmp_path / name).mkdir()
    with (
        teaching(tmp_path / "cheap", "--gsm-symbolic", "0", "--wrong", "0.5") as cheap,
        teaching(tmp_path / "dear", "--gsm-symbolic", "0") as dear,
    ):
        named = {"synthesizer": "symbolic", "expert": "openai:dearer", "expert_url": dear.url}
        start(model_settings(cheap.url, **named), tmp_path / "run", Recorder(), cache=tmp_path)
        asked = {each.task for each in dear.log()}
    store = open_store(tmp_path / "run")
    calls = [call for call in store.calls() if call.agent == "expert"]
    rationales = store.rationales()
    taught = {each.problem_id for each in rationales if each.reason.accepted}
    failed = {call.problem_id for call in calls}
    by_teacher = [call for call in store.calls() if call.agent == "teacher"]
    assert asked == {"explain"}
    steps = store.read(lambda connection: select(connection, SpanRecord, "WHERE agent = 'expert'"))
    assert {step.name for step in steps if step.kind == "agent"} == {"explain pot"}
    assert 0 < len(calls) < len({call.problem_id for call in by_teacher})
    assert failed <= taught == {each.problem_id for each in rationales}
    assert store.verify() == []

    given = ("--student", "tiny", "--teacher", "openai:teaching", "--expert", "openai:teaching")
    assert main(["--rounds", "1", *given]) == 2
    assert "--expert 'openai:teaching' is the teacher already" in capsys.readouterr().err
