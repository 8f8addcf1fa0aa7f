"""Performs tasks on a Ray cluster, with an actor on each GPU or, where there is none, on each machine.

Every machine needs this package in the same environment, and must see the run's folder and the students'
under the same paths. After each task an actor frees its memory, so that a teacher and a student take turns.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import ray
from ray import PlacementGroupID
from ray.exceptions import ActorUnschedulableError, RayActorError, RayError
from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import fdd
from fdd.engines.config import EngineConfig
from fdd.errors import FddError, StoppedError, UsageError, WorkerError
from fdd.training.config import Device
from fdd.training.tasks import (
    Batch,
    Event,
    FineTuned,
    FineTuneTask,
    GenerateTask,
    Notice,
    OnEvent,
    R,
    ShardTask,
    Task,
)
from fdd.training.worker import LIBRARY_VARIABLES, POLL_SECONDS, never, outcome_of

RETRIES = 3
"""How often a task is begun again because the machines it ran on were lost."""
SILENT_SECONDS = 60
"""After this time without a sign of work the user is told."""
CONNECT_SECONDS = 5
TOKEN = secrets.token_hex(32)
"""For all clusters that this process starts: Ray reads a process's token once."""


@contextmanager
def connected(config: EngineConfig) -> Iterator[RayEngine]:
    """Yields an engine on the cluster at this address; without one, on a cluster of this machine alone.

    Whoever reaches a cluster can run programs on it. So the one that is started here listens on the loopback
    interface only, and asks for a token that nobody else knows.
    """
    with ExitStack() as stack:
        if not ray.is_initialized():
            stack.callback(ray.shutdown)
            _connect(config.address)
        engine = RayEngine(config.data_parallel)
        stack.callback(engine.close)
        yield engine


def _connect(address: str) -> None:
    # A worker finds this package where this process found it.
    variables = {**LIBRARY_VARIABLES, "PYTHONPATH": str(Path(fdd.__file__).parent.parent)}
    common: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        "runtime_env": {"env_vars": variables},
        "address": address or "local",  # otherwise Ray would join whatever cluster it finds
    }
    if not address:
        common |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        os.environ.pop("RAY_AUTH_MODE", None)  # then a new cluster asks for a token
        os.environ["RAY_AUTH_TOKEN"] = TOKEN
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address not in ("", "auto"):
            host, _, port = address.rpartition(":")
            if not (host and port.isdecimal()):
                raise ValueError("give HOST:PORT, or auto for the one of this machine")
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()  # Ray would wait for minutes
        ray.init(**common)
    except (OSError, OverflowError, RuntimeError, ValueError, RayError) as error:
        where = f"the cluster at {address!r}" if address else "a cluster on this machine"
        raise UsageError(f"--engine ray cannot use {where}: {error}") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray replaces it by one that stops at once


@dataclass(frozen=True, slots=True)
class Ended:
    """The last thing that a worker sends of a task."""

    outcome: Any
    """Its result, or an `FddError`."""


@ray.remote(max_restarts=0)
class Worker:
    """An actor that performs tasks in its own process, and streams their events back."""

    def perform(self, task: Task[Any]) -> Iterator[Event | Ended]:
        from fdd.training.generate import forget

        events: SimpleQueue[Event | Ended] = SimpleQueue()

        def work() -> None:
            outcome = outcome_of(task, events.put)
            if not isinstance(task, GenerateTask | ShardTask):
                forget()  # a task that answers is followed by `forget` when all its shards are done
            events.put(Ended(outcome))

        threading.Thread(target=work, daemon=True).start()
        while not isinstance(event := events.get(), Ended):
            yield event
        yield event

    def answer(self, whole: GenerateTask, keys: frozenset[str]) -> Iterator[Event | Ended]:
        """Answers the requests with these keys. All are passed on, since batches depend on all of them."""
        others = frozenset(request.key for request in whole.requests) - keys
        yield from self.perform(replace(whole, done=others))

    def forget(self) -> None:
        """Frees the memory of the student that answered."""
        from fdd.training.generate import forget

        forget()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an actor can run."""

    node: str
    cpus: float = 0
    gpu: bool = False
    number: int = 0
    """Tells the GPUs of one machine apart."""

    def start(self) -> Any:
        # An actor computes with all cores of its machine, or with one GPU.
        needs: dict[str, Any] = {"num_gpus": 1, "num_cpus": 0} if self.gpu else {"num_cpus": self.cpus}
        return Worker.options(  # type: ignore[attr-defined]
            **needs, scheduling_strategy=NodeAffinitySchedulingStrategy(self.node, soft=False)
        ).remote()


def places(device: Device) -> list[Place]:
    """Returns a place for each GPU of the cluster or, if there is none to be used, for each machine."""
    here = ray.get_runtime_context().get_node_id()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = sorted((node for node in nodes if node["Alive"]), key=lambda node: node["NodeID"] != here)
    found = [(node["NodeID"], node["Resources"]) for node in nodes]
    if device != "cpu":
        counts = [(node, int(has.get("GPU", 0))) for node, has in found]
        if gpus := [Place(node, gpu=True, number=n) for node, count in counts for n in range(count)]:
            return gpus
    return [Place(node, cpus=has["CPU"]) for node, has in found if has.get("CPU", 0) >= 1]


Job = Callable[[Any], Any]
"""Begins work on an actor, and returns Ray's generator of what it sends."""


def to_perform(task: Task[Any]) -> Job:
    return lambda worker: worker.perform.remote(task)


@dataclass(frozen=True, slots=True)
class Watch:
    """The caller's functions, as in `Engine.run`."""

    on_event: OnEvent
    should_stop: Callable[[], bool]


class RayEngine:
    def __init__(self, data_parallel: int | None) -> None:
        """`data_parallel` is the number of processes that train together; None for one on each GPU."""
        self._data_parallel = data_parallel
        self._at: dict[Place, Any] = {}
        """The actors, at most one at each place. They are kept, as starting one takes some seconds."""

    def run(self, task: Task[R], on_event: OnEvent, should_stop: Callable[[], bool] = never) -> R:
        """Does what `Engine.run` says."""
        device: Device = getattr(task, "device", "auto")
        try:
            if isinstance(task, FineTuneTask) and (size := self._processes(task)) > 1:
                self.close()  # Ray Train needs their processors and GPUs
                return train(task, size, on_event, should_stop)  # type: ignore[return-value]
            watch = Watch(on_event, should_stop)
            if isinstance(task, GenerateTask):
                self._generate(task, watch)
                return None  # type: ignore[return-value]
            result: R
            (result,) = self._perform([to_perform(task)], device, watch)
        except RayError as error:
            self.close()
            raise WorkerError(f"the cluster failed: {error}") from None
        except BaseException:
            self.close()  # ends what is still at work
            raise
        return result

    def close(self) -> None:
        for worker in self._at.values():
            with suppress(RayError):
                ray.kill(worker)
        self._at.clear()

    def _processes(self, task: FineTuneTask) -> int:
        """Returns the number of processes that train together; `UsageError` if there is no room for them."""
        found = places(task.device)
        gpus = sum(place.gpu for place in found)
        size = self._data_parallel or max(1, min(gpus, task.config.batch_size))
        room = gpus or int(sum(place.cpus for place in found))
        if size > room:
            what = "GPUs" if gpus else "processors"
            raise UsageError(f"--data-parallel {size}: the cluster has {room} {what}; give at most as many")
        return size

    def _generate(self, task: GenerateTask, watch: Watch) -> None:
        """Answers all requests that are not done, a shard at a time at each place."""
        (shards,) = self._perform([to_perform(ShardTask(whole=task))], task.device, watch)
        done = set(task.done)
        reference = ray.put(task)  # so that it is sent to each machine once

        def note(event: Event) -> None:
            if isinstance(event, Batch):
                done.update(completion.key for completion in event.completions)
            watch.on_event(event)

        def job(keys: frozenset[str]) -> Job:
            return lambda worker: worker.answer.remote(reference, keys - done)

        jobs = [job(frozenset(keys)) for keys in shards if not done.issuperset(keys)]
        self._perform(jobs, task.device, replace(watch, on_event=note))
        if task.config.backend == "vllm":
            self.close()  # only the end of its process frees all that vLLM took
        for worker in self._at.values():
            worker.forget.remote()

    def _perform(self, jobs: Sequence[Job], device: Device, watch: Watch) -> list[Any]:
        """Performs the jobs and returns their results in order; raises the first `FddError` of a job.

        A job whose actor is lost begins again on another one, at most `RETRIES` times.
        """
        waiting, results, losses = deque(range(len(jobs))), dict[int, Any](), Counter[int]()
        running: dict[Any, tuple[Place, int]] = {}
        lost: set[Place] = set()
        silent_since: float | None = time.monotonic()
        while len(results) < len(jobs):
            busy = {place for place, _ in running.values()}
            for place in self._free(device, busy, lost)[: len(waiting)] if waiting else ():
                number = waiting.popleft()
                running[jobs[number](self._worker(place))] = place, number
            ready: list[Any] = ray.wait(list(running), num_returns=1, timeout=POLL_SECONDS)[0]
            if watch.should_stop():
                raise StoppedError("stopped as asked")
            if ready:
                silent_since = None
            elif silent_since and time.monotonic() - silent_since > SILENT_SECONDS:
                silent_since = None
                watch.on_event(Notice(text="nothing was heard from the cluster yet: all of it may be in use"))
            for stream in ready:
                try:
                    sent: Any = ray.get(next(stream))
                except (RayActorError, ActorUnschedulableError) as error:
                    place, number = running.pop(stream)
                    with suppress(RayError):
                        ray.kill(self._at[place])  # it may only be out of reach
                    del self._at[place]
                    lost.add(place)
                    losses[number] += 1
                    if losses[number] > RETRIES:
                        raise WorkerError(f"the same work was lost {losses[number]} times: {error}") from None
                    watch.on_event(Notice(text="a worker of the cluster was lost: its work begins again"))
                    waiting.appendleft(number)
                    continue
                if not isinstance(sent, Ended):
                    watch.on_event(sent)
                    continue
                place, number = running.pop(stream)
                if isinstance(sent.outcome, FddError):
                    raise sent.outcome
                results[number] = sent.outcome
        return [results[number] for number in range(len(jobs))]

    def _free(self, device: Device, busy: set[Place], lost: set[Place]) -> list[Place]:
        """Returns the places that are not busy; those whose actor was lost only if there are no others."""
        found = places(device)
        if not found:
            raise WorkerError("the cluster has no machine left that can work: `resume` continues the run")
        free = [place for place in found if place not in busy | lost]
        return free if free or busy else found

    def _worker(self, place: Place) -> Any:
        if place not in self._at:
            self._at[place] = place.start()
        return self._at[place]


# -- Training in several processes ---------------------------------------------------------------------------


def train(task: FineTuneTask, size: int, on_event: OnEvent, should_stop: Callable[[], bool]) -> FineTuned:
    """Trains in `size` processes on parts of each batch. A lost process makes all begin at the checkpoint."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    mail = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    scratch = task.output.parent / f".{task.output.name}.ray"
    training = Training.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    groups = _placement_groups()
    silent_since: float | None = time.monotonic()
    outcome: Any = None
    try:
        ended = training.fit.remote(task, size, mail, str(scratch))
        while True:
            is_over, _ = ray.wait([ended], timeout=POLL_SECONDS)
            if should_stop():
                raise StoppedError("stopped as asked")
            for sent in mail.get_nowait_batch(mail.qsize()):
                silent_since = None
                if not isinstance(sent, Ended):
                    on_event(sent)
                elif outcome is None or isinstance(sent.outcome, FddError):
                    outcome = sent.outcome
            if isinstance(outcome, FddError):
                raise outcome  # other processes may wait for the one that failed
            if is_over:
                ray.get(ended)
                assert isinstance(outcome, FineTuned)
                return outcome
            if silent_since and time.monotonic() - silent_since > SILENT_SECONDS:
                silent_since = None
                on_event(Notice(text=f"no sign of {size} training processes yet: the cluster may be in use"))
    except RayError as error:
        raise WorkerError(f"training in {size} processes failed: {error}") from None
    finally:
        ray.kill(training)
        # Ray would keep what was reserved for the processes until this one ends.
        for group in _placement_groups() - groups:
            remove_placement_group(_group_of(group))
        mail.shutdown(force=True)
        shutil.rmtree(scratch, ignore_errors=True)


def _placement_groups() -> set[str]:
    """Returns the ids of all groups of reserved resources."""
    return {
        name for name, group in placement_group_table().items() if group["state"] not in ("REMOVED", "DEAD")
    }


def _group_of(name: str) -> PlacementGroup:
    return PlacementGroup(PlacementGroupID(bytes.fromhex(name)))


@ray.remote(num_cpus=0)
class Training:
    """Runs Ray Train in a process of its own; all processes that train end with it."""

    def fit(self, task: FineTuneTask, size: int, mail: Queue, scratch: str) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        uses_gpu = any(place.gpu for place in places(task.device))
        TorchTrainer(
            train_share,
            train_loop_config={"task": task, "mail": mail},
            scaling_config=ScalingConfig(num_workers=size, use_gpu=uses_gpu),
            run_config=RunConfig(storage_path=scratch, failure_config=FailureConfig(max_failures=RETRIES)),
        ).fit()


def train_share(given: dict[str, Any]) -> None:
    """The training loop of each process; the process group of `torch.distributed` is there already."""
    from fdd.training.data_parallel import is_first
    from fdd.training.fine_tune import perform

    task, mail = given["task"], given["mail"]

    def send(event: Event) -> None:
        if is_first():
            mail.put(event)

    try:
        outcome: object = perform(task, send)
    except FddError as error:  # Ray Train would begin again after any error
        outcome = error
    if is_first() or isinstance(outcome, FddError):
        mail.put(Ended(outcome))
