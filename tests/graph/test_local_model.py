"""Agents that are models loaded by the run itself: how their requests are answered, and whole runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from transformers import AutoTokenizer

from fdd.agents.models.request import Finish, Message, ModelReply, ModelRequest
from fdd.engines import engine as engines
from fdd.engines.engine import LOCAL
from fdd.errors import LimitReachedError, ProviderError, StoppedError, StudentError, WorkerError
from fdd.graph.agents import CALLS
from fdd.graph.local_model import LocalModel, as_request
from fdd.graph.run import preview, resume, start
from fdd.rundir.listener import UNWATCHED
from fdd.settings import Settings
from fdd.storage.call_cache import CallCache
from fdd.storage.folder import open_store
from fdd.training.fetch import student_path
from fdd.training.prompts import prompt_ids
from fdd.training.tasks import Batch, Event, GenerateTask, Task
from fdd.training.worker import never, run_in_child
from tests.graph.settings import model_settings
from tests.graph.test_run import Recorder
from tests.training.test_prompts import CHAT

ROOT = Path(__file__).parents[2]
LONGEST = 100


@pytest.fixture
def talker(cache: Path, tmp_path: Path) -> Path:
    """The tiny model, whose texts end after 50 random characters on average. None has any part asked for."""
    folder = shutil.copytree(student_path("tiny", cache), tmp_path / "models" / "talker")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 1, 2, 3, 4, 256]}))
    return folder


def talking(folder: Path, **more: object) -> Settings:
    """Settings of a run in which this model has every role. Its first round has 8 seeds."""
    given = {"teacher": f"local:{folder}", "calls.max_reply_tokens": LONGEST, "generate.batch_size": 2}
    return model_settings("", **{**given, **more})


@dataclass
class Watched:
    """The tasks of the models so far, without those of students, and the keys of the replies that came."""

    tasks: list[GenerateTask] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    inside: int = 0

    def run_in_child(
        self, task: Task[Any], on_event: Callable[[Event], None], should_stop: Callable[[], bool]
    ) -> Any:
        if not isinstance(task, GenerateTask) or task.config.temperature == 0:
            return run_in_child(task, on_event, should_stop)

        def on_each(event: Event) -> None:
            assert isinstance(event, Batch)
            self.received += [completion.key for completion in event.completions]
            on_event(event)

        assert not self.inside
        self.inside += 1
        self.tasks.append(task)
        try:
            return run_in_child(task, on_each, should_stop)
        finally:
            self.inside -= 1

    def asked(self) -> list[str]:
        return [request.key for task in self.tasks for request in task.requests]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched()
    monkeypatch.setattr(engines, "run_in_child", watched.run_in_child)
    return watched


def opened(folder: Path, turn: asyncio.Lock, should_stop: Callable[[], bool] = never) -> LocalModel:
    settings = talking(folder)
    return LocalModel(
        str(folder),
        folder,
        settings,
        turn=turn,
        engine=LOCAL,
        listener=UNWATCHED,
        should_stop=should_stop,
    )


def request(number: int) -> ModelRequest:
    messages = (
        Message(role="system", content="Answer."),
        Message(role="user", content="1 + 1?"),
        Message(role="assistant", content="2"),
        Message(role="user", content=f"{number} + {number}?"),
    )
    return ModelRequest(agent="teacher", messages=messages, temperature=0.7, max_tokens=LONGEST)


def test_requests_that_wait_are_answered_together_and_two_models_are_never_in_memory_together(
    talker: Path, tmp_path: Path, watched: Watched
) -> None:
    other = shutil.copytree(talker, tmp_path / "other")

    async def ask() -> list[ModelReply]:
        turn = asyncio.Lock()
        first, second = opened(talker, turn), opened(other, turn)
        return await asyncio.gather(
            *(first.complete(request(number)) for number in range(5)), second.complete(request(0))
        )

    replies = asyncio.run(ask())
    assert [(task.student, len(task.requests)) for task in watched.tasks] == [(talker, 5), (other, 1)]
    tokenizer = AutoTokenizer.from_pretrained(talker)
    sent = as_request("", request(0))
    assert replies[0].prompt_tokens == len(prompt_ids(tokenizer, sent.question, sent.cue, sent.shots))
    for reply in replies:
        assert 1 <= reply.completion_tokens <= LONGEST
        assert (reply.finish is Finish.LENGTH) == (reply.completion_tokens == LONGEST)
    assert any(reply.finish is Finish.STOP for reply in replies)


def test_a_conversation_is_read_through_the_chat_template(talker: Path) -> None:
    (talker / "chat_template.jinja").write_text(CHAT)
    tokenizer, asked = AutoTokenizer.from_pretrained(talker), request(3)
    turns = [{"role": each.role, "content": each.content} for each in asked.messages]
    sent = as_request("", asked)
    assert prompt_ids(tokenizer, sent.question, sent.cue, sent.shots) == tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_dict=False
    )


def test_replies_are_kept_under_the_weights_and_named_by_the_folder_without_its_path(talker: Path) -> None:
    turn = asyncio.Lock()
    before = opened(talker, turn)
    weights = load_file(talker / "model.safetensors")
    save_file({name: 2 * each for name, each in weights.items()}, talker / "model.safetensors")
    after = opened(talker, turn)
    assert before.name == after.name == "local:talker"
    assert request(0).key(before) != request(0).key(after)


@pytest.mark.parametrize(("error", "fault"), [(WorkerError, "killed"), (StoppedError, "stopped as asked")])
def test_every_waiting_request_fails_with_the_error_of_the_child(
    talker: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], fault: str
) -> None:
    def fail(*_: object) -> None:
        raise error(fault)

    monkeypatch.setattr(engines, "run_in_child", fail)

    async def ask() -> list[object]:
        model = opened(talker, asyncio.Lock())
        return await asyncio.gather(
            *(model.complete(request(number)) for number in range(3)), return_exceptions=True
        )

    assert [(type(each), str(each)) for each in asyncio.run(ask())] == [(error, fault)] * 3


def test_a_teacher_that_explains_nothing_is_named_and_is_not_asked_again(
    talker: Path, tmp_path: Path, watched: Watched
) -> None:
    folder = tmp_path / "run"
    said = r"the teacher 'local:talker' explained none of 8 \(.*malformed \d.*\), most often: "
    with pytest.raises(ProviderError, match=said):
        start(talking(talker), folder, Recorder(), cache=tmp_path)
    calls = open_store(folder).calls()
    assert {(call.model, call.tries, call.paid, call.cost_usd) for call in calls} == {
        ("local:talker", 1, True, 0.0)
    }
    assert all(call.prompt_tokens and call.completion_tokens for call in calls)
    assert open_store(folder).verify() == []
    assert len(watched.tasks[0].requests) == 8  # of all lessons, without a slow start
    asked = watched.asked()
    assert len(asked) == len(set(asked)) == len(calls)
    with pytest.raises(ProviderError, match=said):
        resume(folder, Recorder(), cache=tmp_path)
    assert watched.asked() == asked


def test_a_run_that_is_stopped_keeps_the_replies_that_came_and_asks_for_the_others_alone(
    talker: Path, tmp_path: Path, watched: Watched
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(StoppedError):
        start(
            talking(talker),
            folder,
            Recorder(),
            cache=tmp_path,
            should_stop=lambda: len(watched.received) >= 2,
        )
    before, asked = watched.received.copy(), watched.asked()
    assert 2 <= len(before) < len(asked)
    with CallCache(tmp_path / CALLS) as cache:
        stored = [cache.get(key) for key in before]
    assert None not in stored
    watched.tasks.clear()
    with pytest.raises(ProviderError, match="explained none of 8"):
        resume(folder, Recorder(), cache=tmp_path)
    assert set(watched.asked()).isdisjoint(before)
    assert set(watched.asked()) >= set(asked) - set(before)
    assert len(watched.received) == len(set(watched.received)) == len(open_store(folder).calls())


def test_a_killed_run_asks_again_only_for_what_was_not_stored(
    talker: Path, tmp_path: Path, watched: Watched
) -> None:
    folder, config = tmp_path / "run", tmp_path / "config.toml"
    given: dict[str, object] = {"rounds": 1, "student": "tiny", "teacher": f"local:{talker}"}
    given |= {"problems.limit": 16}
    given |= {"calls.max_reply_tokens": LONGEST, "generate.batch_size": 2, "device": "cpu"}
    given |= {"problems.test_size": 2, "problems.held_out_size": 2, "problems.dev_size": 2}
    config.write_text("".join(f'"{key}" = {json.dumps(value)}\n' for key, value in given.items()))
    kill_after_first_reply(["--config", str(config), "--run-dir", str(folder)], tmp_path)
    before = stored_keys(tmp_path)
    with pytest.raises(ProviderError, match="explained none of"):
        resume(folder, Recorder(), cache=tmp_path)
    assert set(watched.asked()).isdisjoint(before)
    assert len(stored_keys(tmp_path)) == len(open_store(folder).calls())


def stored_keys(cache: Path) -> set[str]:
    with closing(sqlite3.connect(cache / CALLS)) as connection, suppress(sqlite3.OperationalError):
        return {key for (key,) in connection.execute("SELECT key FROM replies")}
    return set()  # the table is not there yet


def kill_after_first_reply(arguments: list[str], cache: Path) -> None:
    environment = {**os.environ, "FDD_CACHE": str(cache)}
    process = subprocess.Popen([sys.executable, "main.py", *arguments], cwd=ROOT, env=environment)
    try:
        while not stored_keys(cache):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


def test_tokens_of_a_local_model_count_towards_the_limit(
    talker: Path, tmp_path: Path, watched: Watched
) -> None:
    with pytest.raises(LimitReachedError, match="--max-tokens 1000 is reached: 1 calls"):
        start(talking(talker, **{"calls.max_tokens": 1000}), tmp_path / "run", Recorder(), cache=tmp_path)
    assert len(watched.received) == 1


def test_a_dry_run_knows_that_a_local_model_costs_nothing(tmp_path: Path) -> None:
    settings = talking(Path("smollm2-135m"), **{"calls.max_cost": 1})
    expenses = preview(settings, cache=tmp_path).expenses
    assert {(each.model, each.cost_usd) for each in expenses} == {("local:smollm2-135m", 0.0)}
    assert all(each.calls and each.prompt_tokens for each in expenses)


def test_no_run_begins_with_a_local_model_that_cannot_be_loaded(talker: Path, tmp_path: Path) -> None:
    (talker / "tokenizer.json").unlink()
    for settings in (talking(talker), replace(talking(talker), teacher="symbolic", judge=f"local:{talker}")):
        with pytest.raises(StudentError, match=r"cannot load the model in .*talker': its tokenizer"):
            start(settings, tmp_path / "run", Recorder(), cache=tmp_path)
        assert not (tmp_path / "run").exists()


def test_a_relative_folder_is_found_from_anywhere(
    talker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(talker.parent)
    with pytest.raises(LimitReachedError):
        start(
            talking(Path("talker"), **{"calls.max_tokens": 0}), tmp_path / "run", Recorder(), cache=tmp_path
        )
    settings = Settings.from_json(open_store(tmp_path / "run").run().settings)
    assert (settings.teacher, settings.synthesizer) == (f"local:{talker}", None)


@pytest.mark.slow
def test_a_run_taught_by_the_default_student_is_killed_resumed_and_ends(
    embedded: Path, tmp_path: Path
) -> None:
    (tmp_path / "smollm2-135m").symlink_to(embedded)
    folder = tmp_path / "run"
    given = ["--rounds", "1", "--student", "tiny", "--teacher", "local:smollm2-135m", "--limit", "8"]
    kill_after_first_reply([*given, "--run-dir", str(folder)], tmp_path)
    environment = {**os.environ, "FDD_CACHE": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "main.py", "resume", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    store = open_store(folder)
    if ended.returncode:
        said = "error: no problem of 'gsm-symbolic' has a usable solution: the teacher 'local:smollm2-135m' "
        assert ended.stderr.splitlines()[-1].startswith(said)
    else:
        assert store.summary()["rounds"][-1]["evaluations"]
    assert {call.model for call in store.calls() if call.tries} == {"local:smollm2-135m"}
    assert store.verify() == []
