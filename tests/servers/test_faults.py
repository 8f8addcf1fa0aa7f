"""Each fault does what it says, a retry can succeed, and the log records what was done with each request."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from fdd.agents.models.replies import read_parts
from tests.agents.symbolic.parents import BEADS, PARENTS
from tests.servers.completions import Entry
from tests.servers.manner import TRANSPORT_FAULTS, Act
from tests.servers.talking import KEY, content, post, request_body
from tests.servers.teaching import TeachingServer, read_arguments, teaching

EXPLAIN = request_body(BEADS.question, "explain", "cot")

CLIENT = """
import socket, sys, time
host, port, length = sys.argv[1], int(sys.argv[2]), len(sys.argv[3])
with socket.create_connection((host, port)) as line:
    head = f"POST /v1/chat/completions HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Length: {length}\\r\\n\\r\\n"
    line.sendall((head + sys.argv[3]).encode())
    print("sent", flush=True)
    time.sleep(60)
"""
"""A client that sends a request and never reads the answer."""

Knowledge = tuple[str, str]


def await_entry(server: TeachingServer) -> Entry:
    """Waits for the first entry of the log, for requests whose client does not notice their end."""
    deadline = time.monotonic() + 600
    while not server.log():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return server.log()[0]


def faulty(knowledge: Knowledge, fault: Act) -> tuple[str, ...]:
    """Returns the options of a server that answers every request with this fault."""
    return (*knowledge, "--fault", f"{fault}=1", "--hang-seconds", "0.3", "--slow-seconds", "0.5")


def test_a_malformed_reply_has_no_rationale_in_tags(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *faulty(knowledge, Act.MALFORMED)) as server:
        for sample in range(6):
            text = content(post(server, request_body(BEADS.question, "solve", "cot", sample)))
            assert read_parts(text, ("rationale",)) is None
        assert {entry.done for entry in server.log()} == {Act.MALFORMED}


@pytest.mark.parametrize(
    ("fault", "finish", "tags"), [(Act.TRUNCATED, "length", 1), (Act.FILTERED, "content_filter", 0)]
)
def test_a_reply_without_its_end_says_why(
    tmp_path: Path, knowledge: Knowledge, fault: Act, finish: str, tags: int
) -> None:
    with teaching(tmp_path, *faulty(knowledge, fault)) as server:
        response = post(server, EXPLAIN)
        (entry,) = server.log()
    assert response.json()["choices"][0]["finish_reason"] == finish
    assert len(re.findall(r"</?rationale>", content(response))) == tags
    assert entry.done is fault


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [(Act.RATE_LIMITED, 429, None), (Act.RETRY_AFTER, 429, "7"), (Act.SERVER_ERROR, 500, None)],
)
def test_a_refused_request_gets_its_status(
    tmp_path: Path, knowledge: Knowledge, fault: Act, status: int, retry_after: str | None
) -> None:
    with teaching(tmp_path, *faulty(knowledge, fault), "--retry-after", "7") as server:
        response = post(server, EXPLAIN)
        (entry,) = server.log()
    assert (response.status_code, response.headers.get("retry-after")) == (status, retry_after)
    assert KEY not in response.text
    assert entry.done is fault


def test_a_hanging_request_ends_without_an_answer(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *faulty(knowledge, Act.HANG)) as server:
        started = time.monotonic()
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            post(server, EXPLAIN)
        assert time.monotonic() - started >= 0.3
        assert [(entry.done, entry.completed) for entry in server.log()] == [(Act.HANG, True)]


def test_a_dropped_connection_breaks_within_the_body(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *faulty(knowledge, Act.DROPPED)) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            post(server, EXPLAIN)
        assert [(entry.done, entry.completed) for entry in server.log()] == [(Act.DROPPED, True)]


def test_a_garbled_body_is_no_json(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *faulty(knowledge, Act.GARBLED)) as server:
        response = post(server, EXPLAIN)
        assert response.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            response.json()
        assert [entry.done for entry in server.log()] == [Act.GARBLED]


def test_a_slow_answer_comes_in_pieces_and_is_right(
    tmp_path: Path, knowledge: Knowledge, faultless: TeachingServer
) -> None:
    started = time.monotonic()
    with teaching(tmp_path, *faulty(knowledge, Act.SLOW)) as server:
        response = post(server, EXPLAIN)
        assert [entry.done for entry in server.log()] == [Act.SLOW]
    assert time.monotonic() - started >= 0.5
    assert response.content == post(faultless, EXPLAIN).content


def test_a_retry_after_a_fault_of_transport_gets_through(tmp_path: Path, knowledge: Knowledge) -> None:
    faults = [f"--fault={fault}=0.12" for fault in TRANSPORT_FAULTS]
    with teaching(tmp_path, *knowledge, *faults, "--hang-seconds", "0", "--slow-seconds", "0") as server:
        tries = [tries_until_answered(server, request_body(p.question, "solve", "pot")) for p in PARENTS]
        met = {entry.done for entry in server.log()}
    assert max(tries) < 20
    assert len(met) >= 4


def tries_until_answered(server: TeachingServer, body: bytes) -> int:
    for tries in count(1):
        try:
            response = post(server, body)
            if response.status_code == 200 and read_parts(content(response), ("rationale",)):
                return tries
        except (httpx.RemoteProtocolError, ValueError):
            continue
    raise AssertionError


def test_faults_come_as_often_as_they_were_asked_for(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *knowledge, "--fault", "rate_limited=0.25", "--fault", "filtered=0.4") as server:
        for sample in range(200):
            post(server, request_body(BEADS.question, "solve", "pot", sample))
        done = [entry.done for entry in server.log()]
    assert 30 <= done.count(Act.RATE_LIMITED) <= 70
    assert 40 <= done.count(Act.FILTERED) <= 80


def test_requests_above_the_capacity_wait(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *knowledge, "--latency", "0.5", "--capacity", "2") as server:
        started = time.monotonic()
        assert [response.status_code for response in at_once(server, 4)] == [200] * 4
        assert time.monotonic() - started >= 1.0


def test_requests_above_the_capacity_are_rejected(tmp_path: Path, knowledge: Knowledge) -> None:
    options = (*knowledge, "--latency", "3", "--capacity", "2", "--over", "reject")
    with teaching(tmp_path, *options) as server:
        assert sorted(response.status_code for response in at_once(server, 4)) == [200, 200, 429, 429]
        assert sorted(entry.done for entry in server.log()) == 2 * [Act.ANSWERED] + 2 * [Act.OVER_CAPACITY]
        assert post(server, EXPLAIN).status_code == 200


def at_once(server: TeachingServer, requests: int) -> list[httpx.Response]:
    bodies = [request_body(BEADS.question, "solve", "pot", sample) for sample in range(requests)]
    with ThreadPoolExecutor(requests) as threads:
        return list(threads.map(lambda body: post(server, body), bodies))


def test_a_careless_server_quotes_the_key(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *faulty(knowledge, Act.SERVER_ERROR), "--echo-key") as server:
        assert KEY in post(server, EXPLAIN).json()["error"]["message"]
        assert KEY in post(server, b"nothing").json()["error"]["message"]


def test_a_server_that_fails_answers_no_more(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *knowledge, "--fail-after", "2") as server:
        assert [post(server, EXPLAIN).status_code for _ in range(4)] == [200, 200, 500, 500]


def test_a_request_whose_client_was_killed_is_not_completed(tmp_path: Path, knowledge: Knowledge) -> None:
    with teaching(tmp_path, *knowledge, "--latency", "30") as server:
        url = httpx.URL(server.url)
        command = [sys.executable, "-c", CLIENT, url.host, str(url.port), EXPLAIN.decode()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "sent\n"
            os.kill(client.pid, signal.SIGKILL)
        assert not await_entry(server).completed


@pytest.mark.parametrize("delay", [("--latency", "30"), ("--fault", "slow=1", "--slow-seconds", "30")])
def test_a_request_whose_client_lost_patience_is_not_completed(
    tmp_path: Path, knowledge: Knowledge, delay: tuple[str, ...]
) -> None:
    with teaching(tmp_path, *knowledge, *delay) as server:
        with pytest.raises(httpx.ReadTimeout):
            post(server, EXPLAIN, seconds=0.5)
        assert not await_entry(server).completed


def test_a_request_in_flight_when_the_server_ends_is_not_completed(
    tmp_path: Path, knowledge: Knowledge
) -> None:
    with ThreadPoolExecutor(1) as threads, teaching(tmp_path, *knowledge, "--latency", "30") as server:
        threads.submit(post, server, EXPLAIN)
        time.sleep(2)
    assert [entry.completed for entry in server.log()] == [False]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model": "m", "messages": []}',
        b'{"model": "m", "messages": "Task: explain"}',
        request_body("1", "dance", "pot"),
        request_body("1", "explain", "tot"),
        request_body("1", "explain"),
        request_body("", "explain", "pot"),
        request_body("9" * 5000, "explain", "pot"),
        request_body("apples " * 5000, "explain", "pot"),
        EXPLAIN.replace(b'"seed": 0', b'"stream": true'),
        EXPLAIN.replace(b"problem>", b"question>"),
        EXPLAIN.replace(b"36 red", b"\\ud800"),
    ],
    ids=range(16),
)
def test_a_request_that_it_does_not_understand_gets_one_line(faultless: TeachingServer, body: bytes) -> None:
    response = post(faultless, body)
    message = response.json()["error"]["message"]
    assert response.status_code == 400
    assert message
    assert "\n" not in message
    assert faultless.log()[-1].done is Act.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "options",
    [["--fault", "tired=0.1"], ["--fault", "hang=2"], ["--fault", "hang=0.6", "--fault", "dropped=0.6"], []],
)
def test_options_that_make_no_sense_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_arguments([*options, "--log", "log"] if options else [])
    assert "error: " in capsys.readouterr().err
