"""Runs the outer graph in a run folder: a new run, or the rest of one that was interrupted."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agents.thoughts import thought
from agents.verifier import UNCONFINED, Verifier
from errors import StoreError, UsageError, command_line
from graph import plan
from graph.build import STEPS_PER_ROUND, build_run
from graph.crew import Agents, assembled, check_roles, find_models, price_of
from graph.forecast import clock_of, is_open, sized
from graph.heartbeat import heartbeat
from graph.lock import asking, cannot_write, held
from graph.open_run import CHECKPOINTS, OpenRun
from graph.plan import Preview
from graph.state import UNWATCHED, Listener, RunContext, RunState
from graph.telemetry import telemetry
from problems.split import NAMES, prepare
from settings import Settings
from storage.folder import DATABASE, check_path, find_run, open_store
from storage.records import RunRecord
from storage.store import Store
from training.tasks import CheckTask, Measured, MeasureTask, Speed
from training.weights import EMBEDDED, TINY, student_path
from training.worker import never, run_in_child

PACKAGES = ("duckdb", "langgraph", "pydantic-monty", "reasoning-gym", "sympy", "torch", "transformers")


def create(settings: Settings, folder: Path, listener: Listener = UNWATCHED, *, cache: Path) -> None:
    """A new folder with a run in it that has not begun: `opened` goes on from there.

    Raises `UsageError` for settings that cannot work, as far as that can be said beforehand, and leaves
    nothing then.
    """
    with _created(settings, folder, listener, cache):
        pass


@contextmanager
def opened(
    folder: Path,
    listener: Listener = UNWATCHED,
    *,
    cache: Path,
    agents: Agents | None = None,
    changes: Mapping[str, object] = MappingProxyType({}),
    should_stop: Callable[[], bool] = never,
) -> Iterator[OpenRun]:
    """The run in this folder, which no other process may carry on until the block ends.

        create(load_settings({"rounds": 1, "student": "tiny"}), folder, cache=cache_folder())
        with opened(folder, cache=cache_folder()) as run:
            for phase, update in run.stream(interrupt_after=["teach"]):
                print(phase, update)

    `agents` take the place of those that the settings name, and `changes` are settings that are to be
    different until the block ends, by their keys: `{"calls.max_cost": 5}`. Everything blocks, and may do so
    in a running event loop too.
    """
    find_run(folder)
    with held(folder), _at_work(folder, listener, cache, agents, changes, should_stop) as run:
        yield run


def start(
    settings: Settings,
    folder: Path,
    listener: Listener,
    *,
    cache: Path,
    agents: Agents | None = None,
    should_stop: Callable[[], bool] = never,
) -> RunState:
    """Run from the beginning to the end in a new folder, which is removed again when the settings turn out
    not to work before the first student is trained.

    Raises `UsageError` for what the user can mend, `StoppedError` when `should_stop` said so, else
    `RunFailedError`.
    """
    with (
        _created(settings, folder, listener, cache),
        discarding(folder),
        _at_work(folder, listener, cache, agents, settings.urls, should_stop) as run,
    ):
        return run.finish()


@contextmanager
def discarding(folder: Path) -> Iterator[None]:
    """Removes the run folder, which this process holds, when wrong input ends it before any training."""
    try:
        yield
    except UsageError:
        if not any(folder.glob("students/*")):
            shutil.rmtree(folder)
        raise


def preview(settings: Settings, *, cache: Path) -> Preview:
    """What `start` would do with these settings; asks nobody and makes no folder."""
    for name in settings.thoughts:
        thought(name)
    check_roles(settings.roles())
    if is_open(settings):
        settings = sized(settings, _measure(settings, cache, UNWATCHED).speed)
    return plan.preview(settings, prepare(settings.problems))


def _measure(settings: Settings, cache: Path, listener: Listener) -> Measured:
    """How fast the student is; `StudentError` where it cannot be loaded, or not be trained by the method."""
    student = find_student(settings.student, cache, listener)
    task = MeasureTask(student=student, config=settings.fine_tune, device=settings.device)
    return run_in_child(task, lambda _: None)


@contextmanager
def _created(settings: Settings, folder: Path, listener: Listener, cache: Path) -> Iterator[None]:
    """Everything that can be found wrong beforehand is; then a folder with an empty run, held."""
    check_path(folder)
    if folder.exists():
        raise UsageError(
            f"the run folder {str(folder)!r} exists: continue that run with "
            f"`{command_line('resume', folder)}`, or name another folder"
        )
    for name in settings.thoughts:
        thought(name)
    for role in find_models(settings):
        price_of(role, settings.calls)
    if settings.solver:
        solver = find_student(settings.solver, cache, listener)
        run_in_child(CheckTask(student=solver, device=settings.device), lambda _: None)
    measured = _measure(settings, cache, listener)
    settings = sized(settings, measured.speed)
    listener.noticed(
        f"{settings.student} on {measured.device}, trains at {measured.speed.training:.0f} tokens/s: "
        f"{settings.problems.limit or 'all'} seed problems"
    )
    with new_run(folder, anchored(settings), measured.speed):
        yield


def anchored(settings: Settings) -> Settings:
    """The settings with absolute paths for what there is, so that any working folder will do to go on in."""
    students, calls, problems = (*EMBEDDED, TINY), settings.calls, settings.problems
    return replace(
        settings,
        student=_absolute(settings.student, students),
        solver=settings.solver and _absolute(settings.solver, students),
        calls=replace(calls, prices=calls.prices and _absolute(calls.prices)),
        problems=replace(
            problems,
            name=_absolute(problems.name, NAMES),
            test=problems.test and _absolute(problems.test, NAMES),
        ),
    )


def _absolute(name: str, known: Collection[str] = ()) -> str:
    path = Path(name)
    return str(path.absolute()) if name not in known and path.exists() else name


@contextmanager
def new_run(folder: Path, settings: Settings, speed: Speed) -> Iterator[None]:
    """A folder with an empty run, held; it has its name only when the run is in it, or a kill left a ruin."""
    draft = folder.with_name(f".{folder.name}.new")
    try:
        draft.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the run folder {str(folder)!r}: {error.strerror}") from None
    with held(draft):
        try:
            for ruin in draft.glob(f"{DATABASE}*"):
                ruin.unlink()
            Store.create(draft / DATABASE, describe_run(settings, speed))
            draft.rename(folder)
        except (OSError, StoreError) as error:
            shutil.rmtree(draft)
            raise cannot_write(folder, error) if isinstance(error, OSError) else error from None
        yield


def resume(
    folder: Path,
    listener: Listener,
    *,
    cache: Path,
    agents: Agents | None = None,
    changes: Mapping[str, object] = MappingProxyType({}),
    should_stop: Callable[[], bool] = never,
) -> RunState:
    """Go on to the end where the run in this folder was interrupted; a finished run is left as it is."""
    with opened(
        folder, listener, cache=cache, agents=agents, changes=changes, should_stop=should_stop
    ) as run:
        return run.finish()


@contextmanager
def _at_work(
    folder: Path,
    listener: Listener,
    cache: Path,
    agents: Agents | None,
    changes: Mapping[str, object],
    should_stop: Callable[[], bool],
) -> Iterator[OpenRun]:
    """The run in a folder that this process holds, with everything that it works with."""
    store = open_store(folder)
    run = store.run()
    settings = Settings.from_json(run.settings).with_changes(changes)

    def on_wait() -> None:
        listener.noticed(
            "waiting for replies that were on their way when the run was killed, at most "
            f"{settings.calls.seconds:g} s"
        )

    with (
        asking(folder, on_wait, should_stop) as lock,
        assembled(settings, agents, run=run.id, cache=cache, paid=store.paid(), lock=lock) as crew,
        Verifier(workers=settings.workers) as verifier,
        checkpointer(folder) as saver,
        heartbeat(listener, folder, clock_of(store, settings)) as listener,
        telemetry(store, run.id, folder, listener),
    ):
        if not verifier.confined:
            listener.noticed(UNCONFINED)
        context = RunContext(
            settings=settings,
            folder=folder,
            base=find_student(settings.student, cache, listener),
            solver=find_student(settings.solver, cache, listener) if settings.solver else None,
            store=store,
            crew=crew,
            verifier=verifier,
            listener=listener,
            should_stop=should_stop,
        )
        yield OpenRun(
            graph=build_run().compile(checkpointer=saver),
            config={
                "configurable": {"thread_id": run.id},
                "recursion_limit": STEPS_PER_ROUND * (settings.rounds + 2),
            },
            context=context,
        )


def find_student(name: str, cache: Path, listener: Listener) -> Path:
    """As `student_path`, but it says so before it fetches something big."""
    if name in EMBEDDED and not (cache / name).is_dir():
        listener.noticed(f"Fetching {name} into {cache}, this once")
    return student_path(name, cache)


def describe_run(settings: Settings, speed: Speed) -> RunRecord:
    return RunRecord(
        id=f"run-{uuid.uuid4().hex[:12]}",
        settings=settings.to_store(),
        versions={name: version(name) for name in PACKAGES},
        seed=settings.seed,
        speed=asdict(speed),
    )


@contextmanager
def checkpointer(folder: Path) -> Iterator[SqliteSaver]:
    """The bookmark file of a run."""
    with closing(sqlite3.connect(folder / CHECKPOINTS, check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=[RunState]))
