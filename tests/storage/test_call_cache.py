"""The call cache: what one run paid for is there for all, whatever happens to the process that paid."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path

import pytest

from fdd.domain import StoredReply, Usage
from fdd.errors import StoreError
from fdd.storage import call_cache
from fdd.storage.call_cache import CallCache

REPLY = StoredReply(
    key="sha256:0",
    run="run-1",
    agent="teacher",
    model="openai:some-model",
    status="answered",
    text="Zweiundvierzig ‘½’ — 问题 \0 '; DROP TABLE replies; --",
    finish="stop",
    prompt_tokens=300,
    completion_tokens=120,
    cost_usd=0.1 + 0.2,
    tries=2,
    seconds=1.25,
    started=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    prompt=json.dumps([{"role": "user", "content": "What is 1 + 1?"}]),
    settings=json.dumps({"temperature": 0.7, "max_tokens": 512}),
)
PREAMBLE = """
import sys
from dataclasses import replace
from pathlib import Path
from fdd.storage.call_cache import CallCache
from tests.storage.test_call_cache import REPLY
cache = CallCache(Path(sys.argv[1]))
"""
PUT_FOR_EVER = """
for n in range(1_000_000):
    cache.put(replace(REPLY, key=str(n)))
    print(n, flush=True)
"""
PUT_AS_ONE_OF_MANY = """
print("ready", flush=True)
sys.stdin.readline()
for n in range(100):
    print(cache.put(replace(REPLY, key=str(n), run=sys.argv[2])).run)
"""
FILL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    for n in range(1_000):
        cache.put(replace(REPLY, key=str(n), text=REPLY.text * 100))
        print(n)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


@pytest.fixture
def calls(path: Path) -> Iterator[CallCache]:
    with CallCache(path) as calls:
        yield calls


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PREAMBLE + text, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def tamper(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def test_a_reply_comes_back_as_it_was_stored(calls: CallCache) -> None:
    assert calls.put(REPLY) == REPLY
    assert calls.get(REPLY.key) == REPLY


def test_what_was_never_asked_is_absent(calls: CallCache) -> None:
    assert calls.get(REPLY.key) is None


def test_the_first_reply_to_a_request_is_the_one_that_counts(calls: CallCache) -> None:
    calls.put(REPLY)
    assert calls.put(replace(REPLY, run="run-2", text="another")) == REPLY
    assert calls.get(REPLY.key) == REPLY


def test_another_run_finds_what_an_earlier_one_paid_for(path: Path) -> None:
    with CallCache(path) as cache:
        cache.put(REPLY)
    with CallCache(path) as cache:
        assert cache.get(REPLY.key) == REPLY


def test_words_of_a_closed_set_are_no_damage(calls: CallCache) -> None:
    class Word(StrEnum):
        ANSWERED = "answered"

    calls.put(replace(REPLY, status=Word.ANSWERED, finish=Word.ANSWERED))
    assert calls.get(REPLY.key) == replace(REPLY, status="answered", finish="answered")


def test_a_cost_that_is_a_whole_number_is_no_damage(calls: CallCache) -> None:
    calls.put(replace(REPLY, cost_usd=0, seconds=1))
    assert calls.get(REPLY.key) == replace(REPLY, cost_usd=0.0, seconds=1.0)


def test_times_of_every_zone_come_back_as_the_same_moment_in_utc(calls: CallCache) -> None:
    started = REPLY.started.astimezone(timezone(timedelta(hours=5, minutes=30)))
    calls.put(replace(REPLY, started=started))
    found = calls.get(REPLY.key)
    assert found is not None
    assert (found.started, found.started.tzinfo) == (started, UTC)


def test_a_run_has_spent_what_it_was_the_first_to_store(calls: CallCache) -> None:
    calls.put(REPLY)
    calls.put(replace(REPLY, key="sha256:1", cost_usd=0.5))
    calls.put(replace(REPLY, key="sha256:2", run="run-2"))
    calls.put(replace(REPLY, run="run-2"))
    assert calls.spent("run-1") == Usage(
        calls=2, prompt_tokens=600, completion_tokens=240, cost_usd=REPLY.cost_usd + 0.5
    )


def test_a_run_that_never_paid_has_spent_nothing(calls: CallCache) -> None:
    assert calls.spent("run-1") == Usage(calls=0, prompt_tokens=0, completion_tokens=0, cost_usd=0.0)


@pytest.mark.parametrize(
    "damage",
    [
        "text = replace(text, '42', '43') || ' '",
        "text = CAST(x'ff41' AS TEXT)",
        "prompt = '[]'",
        "finish = 'length'",
        "completion_tokens = completion_tokens + 1",
        "cost_usd = 0.0",
        "started = 'yesterday'",
        "content_hash = 'sha256:'",
    ],
)
def test_a_damaged_row_counts_as_absent(calls: CallCache, path: Path, damage: str) -> None:
    calls.put(REPLY)
    tamper(path, f"UPDATE replies SET {damage}")
    assert calls.get(REPLY.key) is None


def test_a_row_under_a_strange_key_counts_as_absent(calls: CallCache, path: Path) -> None:
    calls.put(REPLY)
    tamper(path, "UPDATE replies SET key = 'sha256:1'")
    assert calls.get("sha256:1") is None


def test_a_damaged_row_gives_way_to_the_next_reply(calls: CallCache, path: Path) -> None:
    calls.put(REPLY)
    tamper(path, "UPDATE replies SET text = 'I was changed'")
    again = replace(REPLY, run="run-2", text="42")
    assert calls.put(again) == again
    assert calls.get(REPLY.key) == again


def test_threads_agree_on_who_was_first(calls: CallCache) -> None:
    def put_all(name: int) -> list[str]:
        return [calls.put(replace(REPLY, key=str(n), run=str(name))).run for n in range(50)]

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(put_all, range(8))
    assert all(other == first for other in others)
    assert sum(calls.spent(str(name)).calls for name in range(8)) == 50


def test_processes_agree_on_who_was_first(path: Path) -> None:
    writers = [program(PUT_AS_ONE_OF_MANY, str(path), str(name)) for name in range(3)]
    first, *others = _raced(writers)
    assert len(first.splitlines()) == 100
    assert all(other == first for other in others)
    with CallCache(path) as cache:
        assert sum(cache.spent(str(name)).calls for name in range(3)) == 100


def test_processes_may_make_the_file_at_the_same_time(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE theirs (id INTEGER)")
        other.execute("BEGIN IMMEDIATE")  # as in the midst of making it
        letting_go = threading.Timer(0.3, other.execute, ["COMMIT"])
        letting_go.start()
        try:
            with CallCache(path) as cache:
                assert cache.put(REPLY) == REPLY
        finally:
            letting_go.join()


def test_a_file_that_is_never_let_go_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_cache, "LOCK_PATIENCE", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"cannot open the call cache .*: database is locked"):
            CallCache(path)


def _raced(writers: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What each writer printed after all of them were ready."""
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate()[0] for writer in writers]


def test_kill_9_loses_no_reply_that_was_stored(path: Path) -> None:
    with program(PUT_FOR_EVER, str(path)) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 200:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        reported = 201 + len(writer.stdout.read().split())
    with CallCache(path) as cache:
        assert all(cache.get(str(n)) == replace(REPLY, key=str(n)) for n in range(reported))
        assert cache.spent(REPLY.run).calls in (reported, reported + 1)


def test_a_full_disk_is_one_line_and_loses_nothing(path: Path) -> None:
    with program(FILL_DISK, str(path)) as writer:
        *stored, error = writer.communicate()[0].splitlines()
    assert error.startswith(f"StoreError cannot write to the call cache {path}: ")
    with CallCache(path) as cache:
        assert cache.spent(REPLY.run).calls == len(stored) > 0
        assert cache.put(replace(REPLY, key="afterwards")).key == "afterwards"


def test_half_a_character_is_refused_in_one_line(calls: CallCache) -> None:
    with pytest.raises(StoreError, match="cannot write to the call cache") as caught:
        calls.put(replace(REPLY, text="broken \ud83d"))
    assert "\n" not in str(caught.value)
    assert calls.get(REPLY.key) is None


def test_a_file_that_is_no_cache_is_reported_with_what_to_do(path: Path) -> None:
    path.write_text("not a database " * 1000)
    with pytest.raises(StoreError, match=r"cannot open the call cache .*; move it away") as caught:
        CallCache(path)
    assert "\n" not in str(caught.value)


def test_a_cache_with_damaged_pages_is_reported(path: Path) -> None:
    with CallCache(path) as cache:
        for n in range(100):
            cache.put(replace(REPLY, key=str(n)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with (
        CallCache(path) as cache,
        pytest.raises(StoreError, match=r"cannot read the call cache .* move it away"),
    ):
        cache.get("50")


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open the call cache .*unable to open"):
        CallCache(tmp_path / "none" / "calls.sqlite")


def test_a_closed_cache_says_so(path: Path) -> None:
    cache = CallCache(path)
    cache.close()
    with pytest.raises(StoreError, match="closed"):
        cache.get(REPLY.key)
