"""Starts the agents that the settings of a run name, and gives them work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from fdd.agents.labeller import Labeller
from fdd.agents.models.asker import Asker
from fdd.agents.models.batches import MOST_REQUESTS, BatchModel
from fdd.agents.models.budget import NOTHING, Budget
from fdd.agents.models.client import Client
from fdd.agents.models.limiter import FIRST
from fdd.agents.models.prices import FREE, Price, find_price
from fdd.agents.models.provider import OPENAI, LangChainModel, full_name
from fdd.agents.models.request import ChatModel
from fdd.agents.synthesizer import ModelSynthesizer, SymbolicSynthesizer, Synthesizer
from fdd.agents.teacher import ModelTeacher, Solver, SymbolicTeacher, Teacher
from fdd.domain import Usage
from fdd.engines.engine import LOCAL, Engine
from fdd.errors import StoppedError, UsageError
from fdd.graph.local_model import LocalModel
from fdd.rundir.listener import UNWATCHED, Listener
from fdd.settings import ENVIRONMENT, SYMBOLIC, Role, Settings
from fdd.storage.call_cache import CallCache
from fdd.training.fetch import student_path
from fdd.training.worker import never

T = TypeVar("T")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

CALLS = "calls.sqlite"
"""Call cache in the cache folder: every reply that any run has paid for."""
STOP_SECONDS = 0.2
"""Seconds between two checks whether the run should stop."""


@dataclass(frozen=True, kw_only=True)
class Agents:
    """The teacher, the synthesizer, and the judge, which solves problems whose answers are in doubt."""

    teacher: Teacher
    synthesizer: Synthesizer
    judge: Solver | None = None
    """Required if the synthesizer's answers are not proven."""
    labeller: Labeller | None = None
    """Required for `--skills model`."""
    expert: Teacher | None = None
    """Explains what the teacher cannot."""


@dataclass(frozen=True, kw_only=True)
class RunAgents(Agents):
    """Agents of an open run. Their coroutines run in another thread, so that nodes can block on them."""

    portal: BlockingPortal
    at_once: int
    """Most lessons or drafts in progress at a time."""
    clients: Mapping[Role, Client]
    """One client per model of the run. All of them share the budget."""
    budget: Budget

    def run(self, work: Callable[[*Ts], Awaitable[T]], *arguments: *Ts) -> T:
        # Needs an empty context: LangGraph finds the outer run by context variables. It would treat a lesson
        # as a subgraph of that run and checkpoint it too.
        return Context().run(lambda: self.portal.call(work, *arguments))

    def expenses(self) -> str:
        """Describes in a few words what the run has spent so far; empty if no agent is a model."""
        if not self.clients:
            return ""
        spent, in_flight = self.budget.spent, sum(client.limit.inside for client in self.clients.values())
        return f"{spent.calls} calls, {spent.tokens} tokens, ${spent.cost_usd:.2f}; {in_flight} in flight"

    async def finished(
        self, items: Iterable[T], work: Callable[[T], Awaitable[R]], should_stop: Callable[[], bool]
    ) -> AsyncIterator[R]:
        """Yields what `work` returns for each item, in the order in which items finish.

        After an error no further item is started. Items in progress still finish and are yielded; then the
        first error is raised. When `should_stop` returns True, the agents refuse further calls, and the same
        happens with `StoppedError`; replies in flight are still stored.
        """
        waiting = iter(items)
        running: set[asyncio.Future[R]] = set()
        error: BaseException | None = None
        while True:
            if error is None and should_stop():
                for client in self.clients.values():
                    client.stop()
                error = StoppedError("stopped as asked")
            if error is None:
                free = self.at_once - len(running)
                running |= {asyncio.ensure_future(work(item)) for item in islice(waiting, free)}
            if not running:
                break
            done, running = await asyncio.wait(
                running, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                broken = task.exception()
                if broken is None:
                    yield task.result()
                error = error or broken  # the first error is raised, others are dropped
        if error is not None:
            raise error


@contextmanager
def open_agents(
    settings: Settings,
    agents: Agents | None,
    *,
    run: str,
    cache: Path,
    paid: Usage = NOTHING,
    engine: Engine = LOCAL,
    listener: Listener = UNWATCHED,
    should_stop: Callable[[], bool] = never,
) -> Iterator[RunAgents]:
    """Starts the given agents, or those that the settings name if `agents` is None.

    At the end it waits until every request in flight has been answered. `run` is the id of the run that pays
    for calls. `paid` is what its database says that it has paid, which is more than the cache says if the run
    was begun with another cache. Local models stop when `should_stop` returns True. Raises `UsageError` for a
    model that cannot be used as the settings say, and for a synthesizer whose answers are not proven when
    there is no judge.
    """
    config, budget = settings.calls, Budget(settings.calls)
    if config.batch_api:
        config = replace(config, at_once=max(config.at_once, MOST_REQUESTS))
    clients: dict[Role, Client] = {}

    def has_ended(role: Role) -> bool:
        return should_stop() or clients[role].ended

    with ExitStack() as resources:
        if agents is None and (models := open_models(settings, cache, engine, listener, should_stop)):
            replies = resources.enter_context(CallCache(cache / CALLS))
            budget = Budget(config, max(replies.spent(run), paid, key=lambda usage: usage.calls))
            for role, (model, price) in models.items():
                first = config.at_once if role.local_id or config.batch_api else FIRST
                if config.batch_api and isinstance(model, LangChainModel):
                    model = BatchModel(
                        model,
                        replies,
                        poll_seconds=config.batch_poll_seconds,
                        notice=listener.noticed,
                        should_stop=partial(has_ended, role),
                    )
                clients[role] = Client(
                    model, run=run, cache=replies, budget=budget, price=price, config=config, first=first
                )
        agents = agents or _named_agents(settings, clients)
        if agents.judge is None and not agents.synthesizer.proven:
            raise UsageError(
                f"the answers of synthesizer {agents.synthesizer.name!r} are not proven, and nobody would "
                "judge them: give Agents a judge as well"
            )
        portal = resources.enter_context(start_blocking_portal())
        for client in clients.values():
            resources.callback(portal.call, client.close)
        yield RunAgents(
            teacher=agents.teacher,
            synthesizer=agents.synthesizer,
            judge=agents.judge,
            labeller=agents.labeller,
            expert=agents.expert,
            portal=portal,
            # Without models, work waits for the sandbox only: twice as many keep every worker busy.
            at_once=config.at_once if clients else 2 * settings.workers,
            clients=clients,
            budget=budget,
        )


def open_models(
    settings: Settings,
    cache: Path,
    engine: Engine = LOCAL,
    listener: Listener = UNWATCHED,
    should_stop: Callable[[], bool] = never,
) -> Mapping[Role, tuple[ChatModel, Price]]:
    """Opens the models that the settings name, and finds their prices; unknown ones count as 0.

    Local models that are not in the cache folder are downloaded, after all others are opened. Raises
    `UsageError` for a model that cannot be used, and for an unknown price if the cost is limited.
    """
    check_agents(settings)
    config, turn = settings.calls, asyncio.Lock()
    models: dict[Role, tuple[ChatModel, Price]] = {}
    named = {role for role in settings.roles().values() if role.is_model}
    for role in sorted(named, key=lambda role: (role.local_id, role.name)):
        model: ChatModel
        if role.local_id:
            folder = student_path(role.local_id, cache, listener.noticed)
            model = LocalModel(
                role.local_id,
                folder,
                settings,
                turn=turn,
                engine=engine,
                listener=listener,
                should_stop=should_stop,
            )
        else:
            model = LangChainModel(
                role.name, address=role.url, seconds=config.seconds, environment=ENVIRONMENT
            )
        models[role] = model, find_price(full_name(role.name, role.url), role.url, config) or FREE
    return models


def check_agents(settings: Settings) -> None:
    """Raises `UsageError` for roles that cannot work together as the settings say."""
    roles = settings.roles()
    if roles["synthesizer"].is_model and not roles["judge"].is_model:
        raise UsageError(
            f"problems written by {roles['synthesizer'].name!r} must be solved by a model too: give --judge"
        )
    teacher, expert = roles["teacher"], roles.get("expert", roles["teacher"])
    # By name, under which replies are kept.
    if settings.expert and full_name(expert.name, expert.url) == full_name(teacher.name, teacher.url):
        raise UsageError(f"--expert {expert.name!r} is the teacher already: name another one")
    if settings.calls.batch_api:
        models = [role for role in roles.values() if role.is_model and not role.local_id]
        others = [role.name for role in models if not role.url and not role.name.startswith(f"{OPENAI}:")]
        if others or not models:
            named = f"{others[0]!r} has none" if others else "no agent of this run is such a model"
            raise UsageError(f"--batch-api is for models behind OpenAI's protocol, and {named}: leave it out")
    if settings.skills == "model" and not roles["teacher"].is_model:
        raise UsageError(
            f"--skills model: the teacher {roles['teacher'].name!r} is no model and cannot name skills: "
            "give a --teacher that is one, or --skills derivation"
        )


def _named_agents(settings: Settings, clients: Mapping[Role, Client]) -> Agents:
    config = settings.calls
    askers = {
        part: Asker(clients[role], config.temperature, config.max_reply_tokens)
        for part, role in settings.roles().items()
        if role.is_model
    }
    return Agents(
        teacher=ModelTeacher(askers["teacher"]) if "teacher" in askers else SymbolicTeacher(),
        synthesizer=ModelSynthesizer(askers["synthesizer"])
        if "synthesizer" in askers
        else SymbolicSynthesizer(),
        judge=ModelTeacher(askers["judge"], agent="verifier") if "judge" in askers else None,
        labeller=Labeller(askers["teacher"]) if settings.skills == "model" else None,
        expert=_expert(settings, askers),
    )


def _expert(settings: Settings, askers: Mapping[str, Asker]) -> Teacher | None:
    if "expert" in askers:
        return ModelTeacher(askers["expert"], agent="expert")
    return SymbolicTeacher() if settings.expert == SYMBOLIC else None
