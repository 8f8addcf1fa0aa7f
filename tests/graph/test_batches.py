"""Runs whose model is asked through a batch API, which a server of the tests has as well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from fdd.agents.models.prices import find_price
from fdd.errors import ProviderError, StoppedError, UsageError
from fdd.graph.agents import CALLS
from fdd.graph.run import resume, start
from fdd.settings import Settings, load_settings
from fdd.storage.call_cache import CallCache
from fdd.storage.folder import open_store
from tests.graph.settings import model_settings
from tests.graph.test_run import Recorder
from tests.servers.teaching import TeachingServer, teaching
from tests.test_house import ROOT

SEEDS = 8
QUICK = {"calls.batch_api": True, "calls.batch_poll_seconds": 0.1}


def settings(server: TeachingServer, **more: object) -> Settings:
    """Returns settings of a run that ends after the first student."""
    return model_settings(server.url, **{"problems.limit": SEEDS, "rounds": 0, **QUICK, **more})


def requests(tmp_path: Path) -> list[str]:
    """The keys of all requests that came in batches."""
    batches = [json.loads(file.read_text()) for file in (tmp_path / "batches").glob("batch-*")]
    files = [tmp_path / "batches" / batch["input_file_id"] for batch in batches]
    return [json.loads(line)["custom_id"] for file in files for line in file.read_text().splitlines()]


def test_a_run_asks_in_batches_and_each_request_once(tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0") as server:
        start(settings(server, rounds=1), tmp_path / "run", Recorder(), cache=tmp_path)
        log = server.log()
    asked = requests(tmp_path)
    assert len(asked) == len(set(asked)) == len(log) > 16
    assert len(list((tmp_path / "batches").glob("batch-*"))) < len(asked) / 3
    store = open_store(tmp_path / "run")
    assert store.verify() == []
    with CallCache(tmp_path / CALLS) as cache:
        assert cache.spent(store.run().id).calls == len(asked)


def test_the_same_run_without_batches_leaves_the_same_rationales(tmp_path: Path) -> None:
    found = []
    for name, more in (("batches", QUICK), ("one by one", {})):
        folder = tmp_path / name
        folder.mkdir()
        with teaching(folder, "--gsm-symbolic", "0", "--wrong", "0.2") as server:
            given = model_settings(server.url, **{"problems.limit": SEEDS, "rounds": 0, **more})
            start(given, folder / "run", Recorder(), cache=folder)
        found.append({(each.problem_id, each.text) for each in open_store(folder / "run").rationales()})
    assert found[0] == found[1]


def test_what_fails_in_a_batch_is_asked_again(tmp_path: Path) -> None:
    faults = ["--fault", "server_error=0.2", "--fault", "rate_limited=0.1", "--fault", "malformed=0.1"]
    with teaching(tmp_path, "--gsm-symbolic", "0", *faults) as server:
        start(settings(server), tmp_path / "run", Recorder(), cache=tmp_path)
    asked = requests(tmp_path)
    assert len(asked) > len(set(asked))
    assert open_store(tmp_path / "run").verify() == []


def lessons(tmp_path: Path) -> int:
    """Counts the problems of the training set."""
    return len({each.problem.id for each in open_store(tmp_path / "run").training_set(round=0)})


@pytest.mark.parametrize("fault", ["upload", "lost", "lost_file", "expired", "queue_full"])
def test_a_run_survives_what_goes_wrong_with_a_batch(fault: str, tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0", "--batch-fault", fault) as server:
        recorder = Recorder()
        start(settings(server), tmp_path / "run", recorder, cache=tmp_path)
        answered = len(server.log())
    assert lessons(tmp_path) == SEEDS
    asked = requests(tmp_path)
    again = len(asked) - len(set(asked))
    # Only what is lost at the provider is paid for twice.
    assert (answered > len(set(asked))) == (fault == "lost_file")
    assert (again > 0) == (fault in ("lost_file", "expired", "queue_full"))


def test_a_batch_that_is_refused_ends_the_run_with_one_line(tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0", "--batch-fault", "failed") as server:
        with pytest.raises(ProviderError, match=r"the batch batch-0 was refused: no such model in batches"):
            start(settings(server), tmp_path / "run", Recorder(), cache=tmp_path)
        resume(tmp_path / "run", Recorder(), cache=tmp_path)
    assert lessons(tmp_path) == SEEDS


def test_a_setting_that_the_model_refuses_is_left_out_of_all_requests(tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0", "--batch-fault", "no_temperature") as server:
        start(settings(server), tmp_path / "run", Recorder(), cache=tmp_path)
    assert lessons(tmp_path) == SEEDS


def test_two_runs_at_once_wait_for_each_others_batches(tmp_path: Path) -> None:
    slow = ["--batch-seconds", "1", "--batch-fault", "slow"]
    with teaching(tmp_path, "--gsm-symbolic", "0", *slow) as server, ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(start, settings(server), tmp_path / f"run-{n}", Recorder(), cache=tmp_path)
            for n in range(2)
        ]
        for run in runs:
            run.result()
    asked = requests(tmp_path)
    assert len(asked) == len(set(asked))


def test_a_run_that_is_stopped_finds_its_batch_again(tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0", "--batch-seconds", "2") as server:
        looks = count()
        folder = tmp_path / "run"

        def should_stop() -> bool:
            return bool(list((tmp_path / "batches").glob("batch-*"))) and next(looks) > 3

        with pytest.raises(StoppedError):
            start(settings(server), folder, Recorder(), cache=tmp_path, should_stop=should_stop)
        assert server.log() == []  # no batch has ended yet
        resume(folder, Recorder(), cache=tmp_path)
    asked = requests(tmp_path)
    assert len(asked) == len(set(asked))


def test_a_run_that_is_killed_pays_for_no_request_twice(tmp_path: Path) -> None:
    """Also if it is killed between the upload and the batch, or before it knows that the batch was made."""
    folder, batches = tmp_path / "run", tmp_path / "batches"
    environment = os.environ | {"FDD_CACHE": str(tmp_path)}
    slow = ["--batch-seconds", "1", "--batch-fault", "slow"]
    with teaching(tmp_path, "--gsm-symbolic", "0", *slow) as server:
        options = ["--rounds", "1", "--student", "tiny", "--limit", "8", "--batch-api"]
        options += ["--batch-poll-seconds", "0.2"]
        teacher = ["--teacher", "openai:teaching", "--teacher-url", server.url]
        command = [*options, *teacher, "--run-dir", str(folder)]
        for tries in range(12):
            process = subprocess.Popen(
                [sys.executable, "main.py", *command], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
            )
            kind = ("file-*", "batch-*")[tries % 2]
            before = len(list(batches.glob(kind)))
            while process.poll() is None and len(list(batches.glob(kind))) == before:
                time.sleep(0.005)
            if process.poll() is not None:
                assert process.returncode == 0
                break
            time.sleep((0.0, 0.25)[tries % 4 > 1])  # then the reply to it may have come
            process.send_signal(signal.SIGKILL)
            process.wait()
            command = ["resume", str(folder)] if folder.exists() else command
        else:
            subprocess.run(
                [sys.executable, "main.py", "resume", str(folder)], cwd=ROOT, env=environment, check=True
            )
    asked = requests(tmp_path)
    assert tries > 2
    assert len(asked) == len(set(asked))
    assert open_store(folder).verify() == []


def test_a_server_without_batches_ends_the_run_with_one_line(tmp_path: Path) -> None:
    with teaching(tmp_path, "--gsm-symbolic", "0") as server:
        url = server.url.replace("/v1", "/v2")
        given = model_settings(url, **{"problems.limit": SEEDS, **QUICK})
        with pytest.raises(ProviderError, match="404"):
            start(given, tmp_path / "run", Recorder(), cache=tmp_path)


def test_batches_cost_half() -> None:
    whole, half = (
        find_price("openai:gpt-4o-mini", "", load_settings({"rounds": 1, **more}, environment={}).calls)
        for more in ({}, {"calls.batch_api": True})
    )
    assert whole is not None
    assert half is not None
    assert half.cost(1000, 1000) == whole.cost(1000, 1000) / 2 > 0


@pytest.mark.parametrize("teacher", ["symbolic", "local:tiny"])
def test_batches_need_a_model_behind_openais_protocol(teacher: str, tmp_path: Path) -> None:
    given = load_settings({"rounds": 1, "student": "tiny", "teacher": teacher, **QUICK}, environment={})
    with pytest.raises(UsageError, match="--batch-api is for models behind OpenAI's protocol"):
        start(given, tmp_path / "run", Recorder(), cache=tmp_path)
