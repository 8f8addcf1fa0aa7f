"""What a run finds out arrives in each tracker, without a server or an account."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fdd.domain import UNTAUGHT, Progress
from fdd.errors import UsageError
from fdd.graph.run import start
from fdd.rundir.tracking import Tracked, metrics, tracking
from fdd.settings import Settings, load_settings
from fdd.storage.folder import open_store
from tests.graph.settings import SMALL
from tests.graph.test_run import Recorder

Found = list[tuple[str, float, int]]
PROJECT = "a project"


class Notebook:
    """A tracker that remembers what it is sent, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.found: Found = []
        self.ended: list[bool] = []
        self._fails = fails

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        if self._fails:
            raise ValueError("no room at http://me:secret@host/api")
        self.found += [(name, value, step) for name, value in metrics.items()]

    def finish(self, finished: bool) -> None:
        self.ended.append(finished)

    def of(self, name: str) -> list[tuple[float, int]]:
        return [(value, step) for known, value, step in self.found if known == name]


def test_metrics_are_the_numbers_of_a_round(finished: Path) -> None:
    summary = open_store(finished).summary()
    untaught, last = dict(metrics(summary, UNTAUGHT, {"in-domain"})), dict(metrics(summary, 1, {"dev"}))
    assert "in-domain/accuracy" in untaught and not {"problems", "dev/accuracy"} & untaught.keys()
    row = summary["rounds"][1]
    assert last["problems"] == row["problems"]
    assert row["decision"] and last["decision/p"] == row["decision"]["p"]
    assert "in-domain/accuracy" not in last


def test_a_run_goes_on_without_a_tracker_that_fails(finished: Path) -> None:
    notebook, listener = Notebook(fails=True), Recorder()
    tracked = Tracked(notebook, open_store(finished), listener)
    for round in (0, 1):
        tracked.evaluated(round)
    tracked.finish()
    [said] = listener.notices
    assert said == "the tracker takes no metrics, so no more are sent: no room at http://host/api"
    assert not notebook.ended


def test_a_tracker_that_hangs_does_not_hold_the_run_up(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fdd.rundir.tracking.FLUSH_SECONDS", 0.1)
    notebook, listener, open_again = Notebook(), Recorder(), threading.Event()
    monkeypatch.setattr(notebook, "log", lambda *_: open_again.wait(60))
    tracked = Tracked(notebook, open_store(finished), listener)
    tracked.evaluated(0)
    tracked.finish()
    assert listener.notices == ["the tracker did not take the last metrics in 0.1 s"]
    open_again.set()


def tracked_by(name: str) -> Settings:
    return load_settings({**SMALL, "track": name, "track_project": PROJECT}, environment={})


def from_trackio(_: Path) -> Found:
    from trackio.sqlite_storage import SQLiteStorage

    [run] = SQLiteStorage.get_runs(PROJECT)
    rows: list[dict[str, Any]] = SQLiteStorage.get_logs(PROJECT, run)
    return [(name, value, row["step"]) for row in rows for name, value in row.items()]


def from_wandb(folder: Path) -> Found:
    from wandb.proto.wandb_internal_pb2 import Record

    found: Found = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for record in map(Record.FromString, records(file.read_bytes())):
            row = {"".join(item.nested_key): float(item.value_json) for item in record.history.item}
            found += [(name, value, int(row["step"])) for name, value in row.items()]
    return found


def records(data: bytes) -> Iterator[bytes]:
    """Yields the records of a file in LevelDB's log format, with a header of seven bytes."""
    place, block, whole = 7, 32768, b""
    while place + 7 <= len(data):
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        if block - place % block < 7 or kind == 0:
            place += block - place % block
            continue
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            yield whole
            whole = b""


def from_mlflow(_: Path) -> Found:
    import mlflow

    client = mlflow.MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name(PROJECT).experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["student"] == "tiny"
    histories = [client.get_metric_history(run.info.run_id, name) for name in run.data.metrics]
    return [(each.key, each.value, each.step) for history in histories for each in history]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "read"), [("trackio", from_trackio), ("wandb", from_wandb), ("mlflow", from_mlflow)]
)
def test_a_run_and_its_continuation_are_one_run_of_a_tracker(
    name: str, read: Any, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path / "trackio")
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "trackio")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setattr("sys.argv", ["main.py", "--teacher-url", "http://me:secret@host/v1"])
    store = open_store(finished)
    for round in (0, 1):
        with tracking(tracked_by(name), store, Recorder()) as listener:
            listener.advanced(Progress(round=round, phase="fine_tune", done=1, total=4, loss=2.5))
            listener.evaluated(round)
    steps = [each.steps for each in store.rounds()]
    found = read(tmp_path)
    assert [step for name, _, step in found if name == "fine_tune/loss"] == [1, steps[0] + 1]
    assert ("cost/cost_usd", 0.0, sum(steps)) in found
    assert not any(b"secret" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_run_is_tracked_from_its_first_step_to_its_tests(tmp_path: Path, cache: Path) -> None:
    notebook = Notebook()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fdd.rundir.tracking._open", lambda *_: notebook)
        start(
            load_settings({**SMALL, "recipe": "skills", "track": "trackio"}, environment={}),
            tmp_path / "run",
            Recorder(),
            cache=cache,
        )
    store = open_store(tmp_path / "run")
    first, last = (each.steps for each in store.rounds())
    assert [step for _, step in notebook.of("fine_tune/loss")] == list(range(1, first + last + 1))
    assert [step for _, step in notebook.of("dev/accuracy")] == [0, first, first + last]
    assert [step for _, step in notebook.of("problems")] == [first, first + last]
    assert len(notebook.of("in-domain/accuracy")) == 2  # of the untaught student and of the delivered one
    assert notebook.of("cost/paid")[-1] == (0.0, first + last)
    skills = {name: step for name, _, step in notebook.found if name.startswith("skills/")}
    assert skills and set(skills.values()) == {first}
    assert not notebook.of("easy")
    assert notebook.ended == [True]


def test_a_tracker_that_is_missing_is_one_line_before_anything_is_done(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fdd.rundir.tracking.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs that package: pip install mlflow"):
        start(tracked_by("mlflow"), tmp_path / "run", Recorder(), cache=cache)
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_does_not_open_is_one_line(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.raises(UsageError, match=r"--track mlflow cannot begin: .*127\.0\.0\.1"),
        tracking(tracked_by("mlflow"), open_store(finished), Recorder()),
    ):
        pass
