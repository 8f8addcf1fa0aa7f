"""Runs the outer graph in a run folder: a new run, or the rest of an interrupted one."""

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

from fdd.agents.models.config import LOCAL
from fdd.agents.thoughts import thought
from fdd.agents.verifier import UNCONFINED, Verifier
from fdd.engines.engine import Engine, open_engine
from fdd.errors import StoreError, UsageError, command_line
from fdd.graph import plan
from fdd.graph.agents import Agents, check_agents, open_agents, open_models
from fdd.graph.build import STEPS_PER_ROUND, build_run
from fdd.graph.forecast import clock_of, is_open, sized
from fdd.graph.open_run import CHECKPOINTS, OpenRun
from fdd.graph.plan import Preview
from fdd.graph.state import RunContext, RunState
from fdd.problems.split import NAMES, prepare
from fdd.rundir.listener import UNWATCHED, Listener
from fdd.rundir.lock import cannot_write, held
from fdd.rundir.progress import heartbeat
from fdd.rundir.telemetry import telemetry
from fdd.rundir.tracking import check_tracker, tracking
from fdd.settings import Settings
from fdd.storage.folder import DATABASE, check_path, find_run, open_store
from fdd.storage.records import RunRecord
from fdd.storage.store import Store
from fdd.training.fetch import EMBEDDED, TINY, student_path
from fdd.training.tasks import (
    BackendTask,
    CheckTask,
    Event,
    Measured,
    MeasureTask,
    Notice,
    OnEvent,
    RefineCheckTask,
    Speed,
)
from fdd.training.worker import never

PACKAGES = ("duckdb", "langgraph", "pydantic-monty", "reasoning-gym", "sympy", "torch", "transformers")
"""Packages whose versions are stored with a run."""
MODELS = (*EMBEDDED, TINY)
"""Names of models that are no paths, even if a file has such a name."""


def create(settings: Settings, folder: Path, listener: Listener = UNWATCHED, *, cache: Path) -> None:
    """Creates a folder with a run that has not begun; continue it with `opened`.

    Raises `UsageError` for settings that are found not to work before the run. No folder is left then.
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
    """Opens the run in this folder. Until the block ends no other process can continue it.

        create(load_settings({"rounds": 1, "student": "tiny"}), folder, cache=cache_folder())
        with opened(folder, cache=cache_folder()) as run:
            for phase, update in run.stream(interrupt_after=["teach"]):
                print(phase, update)

    `agents` replace those that the settings name. `changes` are settings, by key, that differ until the block
    ends: `{"calls.max_cost": 5}`. All methods block; they also work inside a running event loop.
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
    until: str | None = None,
) -> RunState:
    """Runs from beginning to end in a new folder, or until a phase has ended, and returns the last state.

    If the settings turn out not to work before the first student is trained, the folder is removed. Raises
    `UsageError` for what the user can correct, `StoppedError` after `should_stop` returned True, and
    `RunFailedError` for everything else.
    """
    with (
        _created(settings, folder, listener, cache),
        discarding(folder),
        # `settings.urls` are passed again, because stored URLs lack their passwords.
        _at_work(folder, listener, cache, agents, settings.urls, should_stop) as run,
    ):
        return run.finish(until)


@contextmanager
def discarding(folder: Path) -> Iterator[None]:
    """Removes the run folder, whose lock the caller holds, if a `UsageError` comes before any training."""
    try:
        yield
    except UsageError:
        if not any(folder.glob("students/*")):
            shutil.rmtree(folder)
        raise


def preview(settings: Settings, *, cache: Path) -> Preview:
    """Forecasts what `start` would do with these settings. Calls no model and makes no folder."""
    for name in settings.thoughts:
        thought(name)
    check_tracker(settings)
    check_agents(settings)
    if is_open(settings):
        with open_engine(settings.engine) as engine:
            settings = sized(settings, _measure(settings, cache, engine, UNWATCHED).speed)
    return plan.preview(settings, prepare(plan.spacious(settings)))


def _measure(settings: Settings, cache: Path, engine: Engine, listener: Listener) -> Measured:
    """Measures the student's speed. Raises `StudentError` if it cannot be loaded or trained as configured."""
    student = student_path(settings.student, cache, listener.noticed)
    task = MeasureTask(student=student, config=settings.fine_tune, device=settings.device)
    return engine.run(task, _telling(listener))


def _fetched(name: str | None, cache: Path, listener: Listener) -> Path | None:
    return student_path(name, cache, listener.noticed) if name else None


def _telling(listener: Listener) -> OnEvent:
    """Returns a function that passes the notices of a task on to the listener."""

    def on_event(event: Event) -> None:
        if isinstance(event, Notice):
            listener.noticed(event.text)

    return on_event


@contextmanager
def _created(settings: Settings, folder: Path, listener: Listener, cache: Path) -> Iterator[None]:
    """Checks the settings, then creates a folder with an empty run and holds its lock during the block."""
    check_path(folder)
    if folder.exists():
        raise UsageError(
            f"the run folder {str(folder)!r} exists: continue that run with "
            f"`{command_line('resume', folder)}`, or name another folder"
        )
    for name in settings.thoughts:
        thought(name)
    check_tracker(settings)
    named = (settings.solver, settings.select_with, *(role.local_id for role in settings.roles().values()))
    others = {*filter(None, named)}
    with open_engine(settings.engine) as engine:
        open_models(settings, cache, engine, listener)
        for name in others:
            model = student_path(name, cache, listener.noticed)
            check = CheckTask(student=model, device=settings.device)
            engine.run(check, _telling(listener))
        if settings.generate.backend == "vllm":
            engine.run(BackendTask(device=settings.device), _telling(listener))
        if settings.refine.method != "none":
            student = student_path(settings.student, cache, listener.noticed)
            teacher = _fetched(settings.refine.teacher, cache, listener)
            refine = RefineCheckTask(student=student, teacher=teacher)
            engine.run(refine, _telling(listener))
        measured = _measure(settings, cache, engine, listener)
    settings = sized(settings, measured.speed)
    listener.noticed(
        f"{settings.student} on {measured.device}, trains at {measured.speed.training:.0f} tokens/s: "
        f"{settings.problems.limit or 'all'} seed problems"
    )
    with new_run(folder, anchored(settings), measured.speed):
        yield


def anchored(settings: Settings) -> Settings:
    """Makes paths of existing files absolute, so that the run can be resumed from any working directory."""
    calls, problems, refine = settings.calls, settings.problems, settings.refine
    return replace(
        settings,
        teacher=_anchored_agent(settings.teacher),
        synthesizer=settings.synthesizer and _anchored_agent(settings.synthesizer),
        judge=settings.judge and _anchored_agent(settings.judge),
        expert=settings.expert and _anchored_agent(settings.expert),
        student=_absolute(settings.student, MODELS),
        solver=settings.solver and _absolute(settings.solver, MODELS),
        select_with=settings.select_with and _absolute(settings.select_with, MODELS),
        refine=replace(refine, teacher=refine.teacher and _absolute(refine.teacher, MODELS)),
        calls=replace(calls, prices=calls.prices and _absolute(calls.prices)),
        problems=replace(
            problems,
            name=_absolute(problems.name, NAMES),
            test=problems.test and _absolute(problems.test, NAMES),
        ),
    )


def _anchored_agent(name: str) -> str:
    return LOCAL + _absolute(name.removeprefix(LOCAL), MODELS) if name.startswith(LOCAL) else name


def _absolute(name: str, known: Collection[str] = ()) -> str:
    path = Path(name)
    return str(path.absolute()) if name not in known and path.exists() else name


@contextmanager
def new_run(folder: Path, settings: Settings, speed: Speed) -> Iterator[None]:
    """Creates a folder with an empty run and holds its lock during the block.

    The folder gets its name only when the run is in it, so that a killed process leaves only a draft behind.
    """
    draft = folder.with_name(f".{folder.name}.new")
    try:
        draft.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the run folder {str(folder)!r}: {error.strerror}") from None
    with held(draft):
        try:
            # Left by a process that was killed at this point.
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
    until: str | None = None,
) -> RunState:
    """Continues the run in this folder to its end or that of a phase. A finished run is left alone."""
    with opened(
        folder, listener, cache=cache, agents=agents, changes=changes, should_stop=should_stop
    ) as run:
        return run.finish(until)


@contextmanager
def _at_work(
    folder: Path,
    listener: Listener,
    cache: Path,
    agents: Agents | None,
    changes: Mapping[str, object],
    should_stop: Callable[[], bool],
) -> Iterator[OpenRun]:
    """Opens the run in a folder that this process has locked, with everything that it works with."""
    folder = folder.absolute()  # tasks may be performed by processes with another working directory
    store = open_store(folder)
    run = store.run()
    settings = Settings.from_json(run.settings).with_changes(changes)
    with (
        open_engine(settings.engine) as engine,
        open_agents(
            settings,
            agents,
            run=run.id,
            cache=cache,
            paid=store.paid(),
            engine=engine,
            listener=listener,
            should_stop=should_stop,
        ) as running,
        Verifier(workers=settings.workers) as verifier,
        checkpointer(folder) as saver,
        tracking(settings, store, listener) as listener,
        heartbeat(listener, folder, clock_of(store, settings).left) as listener,
        telemetry(store, run.id, folder, listener),
    ):
        if not verifier.confined:
            listener.noticed(UNCONFINED)
        context = RunContext(
            settings=settings,
            folder=folder,
            base=student_path(settings.student, cache, listener.noticed),
            solver=_fetched(settings.solver, cache, listener),
            followed=_fetched(settings.refine.teacher, cache, listener),
            larger=_fetched(settings.select_with, cache, listener),
            store=store,
            agents=running,
            engine=engine,
            verifier=verifier,
            listener=listener,
            should_stop=should_stop,
        )
        yield OpenRun(
            graph=build_run().compile(checkpointer=saver),
            config={
                "configurable": {"thread_id": run.id},
                # Rounds 0 to N are N + 1 rounds; one more is a margin.
                "recursion_limit": STEPS_PER_ROUND * (settings.rounds + 2),
            },
            context=context,
        )


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
    """Opens the checkpoint file of a run."""
    with closing(sqlite3.connect(folder / CHECKPOINTS, check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=[RunState]))
