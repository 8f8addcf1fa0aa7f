"""Sends what a run finds out to the experiment tracker that `--track` names.

Metrics are plotted over the optimizer's steps, counted from the first training of the run.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any, Protocol

from fdd.domain import UNTAUGHT, Progress, Stopwatch
from fdd.errors import UsageError, one_line
from fdd.rundir.listener import Listener
from fdd.settings import Settings, flat
from fdd.storage.store import Store
from fdd.storage.summary import Summary
from fdd.storage.tracing import is_finished

Metrics = Mapping[str, float]
NOT_TRACKED = "none"
FLUSH_SECONDS = 10.0
"""Most seconds that the end of a run waits until the last metrics are sent."""
_LOGIN = re.compile(r"(?<=//)[^/\s@]*@")
"""Matches the user and password of a URL in a text."""
_NOT_IN_NAMES = re.compile(r"[^\w\-./ ]")
"""Matches what MLflow does not accept in the name of a metric."""
_LONGEST_PARAMETER = 500
"""Characters that any version of MLflow accepts."""
_MOST_METRICS = 1000
"""Metrics that MLflow accepts at once."""
_TAG = "fdd_run"
"""Tag of an MLflow run, by which a run that is resumed finds it."""


class Tracker(Protocol):
    """A run in an experiment tracker."""

    def log(self, metrics: Metrics, step: int) -> None: ...

    def finish(self, finished: bool) -> None:
        """`finished` is False if the run stopped before its end."""
        ...


class Tracked:
    """A listener that passes everything on to another one and sends metrics to a tracker, from a thread.

    The run goes on without the tracker once that has failed.
    """

    def __init__(self, tracker: Tracker, store: Store, listener: Listener) -> None:
        self._tracker, self._store, self._listener = tracker, store, listener
        # What is stored already was sent by the process that stored it.
        self._sent = {(each.round, each.name) for each in store.evaluations()}
        self._probed = max((row["round"] for row in store.summary()["skills"]), default=UNTAUGHT)
        self._waiting: SimpleQueue[tuple[Metrics, int] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="tracker", daemon=True)
        self._thread.start()

    def advanced(self, progress: Progress) -> None:
        self._listener.advanced(progress)
        if progress.loss is not None:
            before = _steps_before(self._store, progress.round, progress.phase)
            self._waiting.put(({f"{progress.phase}/loss": progress.loss}, before + progress.done))

    def evaluated(self, round: int) -> None:
        self._listener.evaluated(round)
        summary = self._store.summary()
        self._send_skills(summary)
        new = {each.name for each in self._store.evaluations(round=round)} - {
            name for known, name in self._sent if known == round
        }
        self._sent |= {(round, name) for name in new}
        self._waiting.put((dict(metrics(summary, round, new)), _steps_before(self._store, round + 1)))
        cost = dict(_numbers(summary["cost"]["total"], "cost"))
        self._waiting.put((cost, _steps_before(self._store, len(self._store.rounds()))))

    def noticed(self, text: str) -> None:
        self._listener.noticed(text)

    def finish(self) -> None:
        """Sends what is left, for `FLUSH_SECONDS` at most."""
        self._waiting.put(None)
        self._thread.join(FLUSH_SECONDS)
        if self._thread.is_alive():
            self._listener.noticed(f"the tracker did not take the last metrics in {FLUSH_SECONDS:g} s")

    def _send_skills(self, summary: Summary) -> None:
        by_round: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for row in summary["skills"]:
            if row["round"] > self._probed:
                by_round[row["round"]][f"skills/{row['skill']}"] = row["correct"] / row["n"]
        for round, found in by_round.items():
            self._waiting.put((found, _steps_before(self._store, round + 1)))
            self._probed = max(self._probed, round)

    def _send(self) -> None:
        try:
            while (found := self._waiting.get()) is not None:
                self._tracker.log(*found)
            self._tracker.finish(self._store.read(is_finished))
        except Exception as error:  # Every tracker has errors of its own.
            self._listener.noticed(f"the tracker takes no metrics, so no more are sent: {_message(error)}")


def metrics(summary: Summary, round: int, evaluations: set[str]) -> Iterator[tuple[str, float]]:
    """Yields the results of these evaluations of a round and, with the first of them, what was taught in it:
    `dev/accuracy`, `problems`, `decision/p`.
    """
    found: Mapping[str, Any] = summary["baseline"]
    if round != UNTAUGHT:
        found = next(row for row in summary["rounds"] if row["round"] == round)
    for evaluation in found["evaluations"]:
        if evaluation["name"] in evaluations:
            yield from _numbers(evaluation, evaluation["name"])
    if "dev" in evaluations:
        # The students of this round are probed only later, and evaluations are numbers of their own.
        left_out = ("round", "easy", "mixed", "hard", "evaluations")
        yield from _numbers({name: each for name, each in found.items() if name not in left_out}, "")


def _numbers(found: object, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(found, bool | int | float):
        yield name, float(found)
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from _numbers(value, f"{name}/{key}" if name else key)


def _steps_before(store: Store, round: int, phase: str = "") -> int:
    """Returns the number of optimizer steps before this round, or before this phase of it."""
    trained = sum(each.steps for each in store.rounds() if each.round < round + (phase == "refine"))
    return trained + sum(each.steps for each in store.refinements() if each.round < round)


def _message(error: Exception) -> str:
    return one_line(_LOGIN.sub("", str(error)))


@contextlib.contextmanager
def tracking(settings: Settings, store: Store, listener: Listener) -> Iterator[Listener]:
    """Wraps the listener if the settings name a tracker. Raises `UsageError` if that cannot be used."""
    if settings.track == NOT_TRACKED:
        yield listener
        return
    tracked = Tracked(_open(settings, store), store, listener)
    try:
        yield tracked
    finally:
        tracked.finish()


def check_tracker(settings: Settings) -> None:
    """Raises `UsageError` if the tracker that the settings name is not installed."""
    if settings.track == NOT_TRACKED:
        return
    found = find_spec(settings.track)
    if found is None or found.origin is None:  # a mere folder of that name, as trackers make
        raise UsageError(f"--track {settings.track} needs that package: pip install {settings.track}")


def _open(settings: Settings, store: Store) -> Tracker:
    check_tracker(settings)
    configuration = {name: str(value) for name, value in flat(store.run().settings)}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return _TRACKERS[settings.track](
                settings.track_project, store.run().id, store.path.parent.name, configuration
            )
    except Exception as error:  # Every tracker has errors of its own.
        raise UsageError(
            f"--track {settings.track} cannot begin: {_message(error)}; `--track none` runs without it"
        ) from None


class _Trackio:
    def __init__(self, project: str, run: str, name: str, configuration: Mapping[str, str]) -> None:
        trackio: Any = import_module("trackio")
        # Runs are found by name, and two run folders may have the same.
        self._run = trackio.init(
            project,
            f"{name} {run}",
            config=dict(configuration),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, metrics: Metrics, step: int) -> None:
        self._run.log(dict(metrics), step)

    def finish(self, finished: bool) -> None:  # noqa: ARG002
        with contextlib.redirect_stdout(io.StringIO()):
            self._run.finish()


class _Wandb:
    def __init__(self, project: str, run: str, name: str, configuration: Mapping[str, str]) -> None:
        wandb: Any = import_module("wandb")
        # Nothing is sent but metrics: the command line may have a password in a URL.
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            login_timeout=30,
            save_code=False,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        wandb.setup(settings)
        self._run = wandb.init(
            project=project, id=run, name=name, config=dict(configuration), resume="allow", settings=settings
        )
        # Its own steps never go back, as those of a round that is tested later do.
        self._run.define_metric("*", step_metric="step")

    def log(self, metrics: Metrics, step: int) -> None:
        self._run.log({**metrics, "step": step})

    def finish(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


class _Mlflow:
    def __init__(self, project: str, run: str, name: str, configuration: Mapping[str, str]) -> None:
        mlflow: Any = import_module("mlflow")
        self._client = mlflow.MlflowClient()
        self._metric = mlflow.entities.Metric
        experiment = mlflow.set_experiment(project).experiment_id
        known = self._client.search_runs([experiment], f"tags.{_TAG} = '{run}'")
        begun = known[0] if known else self._client.create_run(experiment, tags={_TAG: run}, run_name=name)
        self._run = begun.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        for key, value in configuration.items():
            self._client.log_param(self._run, key, value[:_LONGEST_PARAMETER])

    def log(self, metrics: Metrics, step: int) -> None:
        now = int(1000 * Stopwatch().read().started.timestamp())
        found = [self._metric(_mlflow_name(name), value, now, step) for name, value in metrics.items()]
        for first in range(0, len(found), _MOST_METRICS):
            self._client.log_batch(self._run, found[first : first + _MOST_METRICS])

    def finish(self, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


def _mlflow_name(name: str) -> str:
    """Writes characters that MLflow refuses by their number, so that different names stay different.

    >>> _mlflow_name("skills/n+n")
    'skills/n_2bn'
    """
    return _NOT_IN_NAMES.sub(lambda found: f"_{ord(found[0]):x}", name)


_TRACKERS: Mapping[str, Callable[[str, str, str, Mapping[str, str]], Tracker]] = {
    "trackio": _Trackio,
    "wandb": _Wandb,
    "mlflow": _Mlflow,
}
