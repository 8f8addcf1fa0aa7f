"""Creates the agents that the settings of a run name, and the clients of those that are language models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from fdd.agents.models.asker import Asker
from fdd.agents.models.budget import Purse
from fdd.agents.models.caller import Caller
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE, Price, find_price, load_prices, required_price
from fdd.agents.models.provider import full_name, open_model
from fdd.agents.models.request import ChatModel
from fdd.agents.synthesizer import ModelSynthesizer, SymbolicSynthesizer, Synthesizer
from fdd.agents.teacher import ModelTeacher, Solver, SymbolicTeacher, Teacher
from fdd.domain import Usage
from fdd.errors import UsageError
from fdd.graph.courier import Courier, Errand
from fdd.settings import ENVIRONMENT, Role, Settings
from fdd.storage.call_cache import CallCache

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NOTHING = Usage()
CALLS = "calls.sqlite"
"""Call cache in the cache folder: every reply that any run has paid for."""


@dataclass(frozen=True, kw_only=True)
class Agents:
    """The teacher, the synthesizer, and the judge, which solves problems whose answers are in doubt."""

    teacher: Teacher
    synthesizer: Synthesizer
    judge: Solver | None = None
    """Required if the synthesizer's answers are not proven."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One client per model of a run. All of them share one budget."""

    callers: Mapping[Role, Caller] = field(default_factory=dict)
    purse: Purse = field(default_factory=Purse)


@dataclass(frozen=True, kw_only=True)
class Crew(Agents):
    """Agents of an open run. Their coroutines run in another thread, so that nodes can block on them."""

    portal: BlockingPortal
    at_once: int
    """Most lessons or drafts in progress at a time."""
    desk: Desk

    def run(self, work: Callable[[*Ts], Awaitable[T]], *arguments: *Ts) -> T:
        # Needs an empty context: LangGraph finds the outer run by context variables. It would treat a lesson
        # as a subgraph of that run and checkpoint it too.
        return Context().run(lambda: self.portal.call(work, *arguments))

    def stop(self) -> None:
        """Refuses further calls. Calls in progress finish and are stored."""
        for caller in self.desk.callers.values():
            caller.stop()

    def expenses(self) -> str:
        """Describes in a few words what the run has spent so far; empty if no agent is a model."""
        if not self.desk.callers:
            return ""
        spent = self.desk.purse.spent
        flying = sum(caller.limit.inside for caller in self.desk.callers.values())
        return f"{spent.calls} calls, {spent.tokens} tokens, ${spent.cost_usd:.2f}; {flying} in flight"


@contextmanager
def assembled(
    settings: Settings,
    agents: Agents | None,
    *,
    run: str,
    cache: Path,
    paid: Usage = NOTHING,
    lock: int | None = None,
) -> Iterator[Crew]:
    """Starts the given agents, or those that the settings name if `agents` is None.

    `run` is the id of the run that pays for calls. `paid` is what its database says that it has paid, which
    is more than the cache says if the run was begun with another cache. The file descriptor `lock` stays open
    until every reply is stored, even if this process is killed. Raises `UsageError` for a model that cannot
    be used as the settings say, and for a synthesizer whose answers are not proven when there is no judge.
    """
    with ExitStack() as resources:
        desk = Desk() if agents else resources.enter_context(open_desk(settings, run, paid, cache, lock))
        agents = agents or hire(settings, desk)
        if agents.judge is None and not agents.synthesizer.proven:
            raise UsageError(
                f"the answers of synthesizer {agents.synthesizer.name!r} are not proven, and nobody would "
                "judge them: give Agents a judge as well"
            )
        yield Crew(
            teacher=agents.teacher,
            synthesizer=agents.synthesizer,
            judge=agents.judge,
            portal=resources.enter_context(open_portal(desk)),
            # Without models, work waits for the sandbox only: twice as many keep every worker busy.
            at_once=settings.calls.at_once if desk.callers else 2 * settings.workers,
            desk=desk,
        )


@contextmanager
def open_desk(settings: Settings, run: str, paid: Usage, cache: Path, lock: int | None) -> Iterator[Desk]:
    """Opens the call cache and a client for each model that the settings name."""
    config, models = settings.calls, find_models(settings)
    if not models:
        yield Desk()
        return
    prices = {role: price_of(role, config) or FREE for role in models}
    with CallCache(cache / CALLS) as replies:
        purse = Purse(
            max_cost=config.max_cost,
            max_tokens=config.max_tokens,
            max_calls=config.max_calls,
            spent=max(replies.spent(run), paid, key=lambda usage: usage.calls),
        )
        callers = {
            role: Caller(
                Courier(
                    Errand(
                        name=model.name,
                        address=model.address,
                        seconds=config.seconds,
                        run=run,
                        price=prices[role].model_dump(),
                        replies=str(replies.path),
                    ),
                    lock=lock,
                ),
                run=run,
                cache=replies,
                purse=purse,
                price=prices[role],
                at_once=config.at_once,
                tries=config.tries,
            )
            for role, model in models.items()
        }
        yield Desk(callers=callers, purse=purse)


@contextmanager
def open_portal(desk: Desk) -> Iterator[BlockingPortal]:
    """Starts the thread in which the agents work. It ends when every request in flight has been answered."""
    with start_blocking_portal() as portal:
        try:
            yield portal
        finally:
            for caller in desk.callers.values():
                portal.call(caller.close)
                portal.call(caller.model.close)


def find_models(settings: Settings) -> dict[Role, ChatModel]:
    """Opens the models that the settings name. Raises `UsageError` for one that cannot be used."""
    check_roles(settings.roles())
    roles = {role for role in settings.roles().values() if role.is_model}
    seconds = settings.calls.seconds
    return {
        role: open_model(role.name, address=role.url, seconds=seconds, environment=ENVIRONMENT)
        for role in roles
    }


def price_of(role: Role, config: CallConfig) -> Price | None:
    """Returns None for an unknown price. Raises `UsageError` for it if `max_cost` limits the run."""
    prices = load_prices(config.prices_file)
    find = find_price if config.max_cost is None else required_price
    return find(prices, full_name(role.name, role.url), role.url)


def check_roles(roles: Mapping[str, Role]) -> None:
    if roles["synthesizer"].is_model and not roles["judge"].is_model:
        raise UsageError(
            f"problems written by {roles['synthesizer'].name!r} must be solved by a model too: give --judge"
        )


def hire(settings: Settings, desk: Desk) -> Agents:
    roles = settings.roles()

    def asker(part: str) -> Asker:
        config = settings.calls
        return Asker(desk.callers[roles[part]], config.temperature, config.max_reply_tokens)

    return Agents(
        teacher=ModelTeacher(asker("teacher")) if roles["teacher"].is_model else SymbolicTeacher(),
        synthesizer=ModelSynthesizer(asker("synthesizer"))
        if roles["synthesizer"].is_model
        else SymbolicSynthesizer(),
        judge=ModelTeacher(asker("judge"), agent="verifier") if roles["judge"].is_model else None,
    )
