"""The command `serve` as a person meets it: its address, its end, and what it cannot do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fdd.main import main
from fdd.reporting.site.server import PORT, listen
from tests.reporting.site.made_up import make_run, problem

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def run(tmp_path: Path) -> Path:
    make_run(tmp_path, problem("Q seed"))
    return tmp_path


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_folder_without_a_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run in 'nowhere'" in complaint(["serve", "nowhere"], capsys)


def test_a_port_that_is_taken_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = complaint(["serve", str(run), "--port", str(port)], capsys)
    assert f"--port {port} is in use by another program: give another one" in line


@pytest.mark.parametrize("port", ["-1", "65536", "99999999999999999999"])
def test_a_port_that_is_none_is_refused(run: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"--port {port} is no port: give one up to 65535" in complaint(
        ["serve", str(run), "--port", port], capsys
    )


def test_without_a_port_any_free_one_does() -> None:
    with listen(None) as first, listen(None) as second:
        ports = {each.getsockname()[1] for each in (first, second)}
        assert len(ports) == 2
        assert ports - {PORT}
        assert {each.getsockname()[0] for each in (first, second)} == {"127.0.0.1"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_word(run: Path, how: signal.Signals) -> None:
    command = [sys.executable, "main.py", "serve", str(run), "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        with urllib.request.urlopen(url) as answer:
            assert b"How the student learns" in answer.read()
        process.send_signal(how)
        rest, errors = process.communicate(timeout=300)
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGTERM)
    assert (rest, errors) == ("", "")
