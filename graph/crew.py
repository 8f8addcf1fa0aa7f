"""The agents of a run, hired by its settings, and the calls of those that are language models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from agents.calling.asker import Asker
from agents.calling.caller import Caller
from agents.calling.config import CallConfig
from agents.calling.prices import FREE, Price, find_price, load_prices, required_price
from agents.calling.purse import Purse
from agents.calling.request import ChatModel
from agents.models import full_name, open_model
from agents.synthesizer import ModelSynthesizer, SymbolicSynthesizer, Synthesizer
from agents.teacher import ModelTeacher, Solver, SymbolicTeacher, Teacher
from domain import Usage
from errors import UsageError
from graph.courier import Courier, Errand
from settings import ENVIRONMENT, Role, Settings
from storage.call_cache import CallCache

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NOTHING = Usage()
CALLS = "calls.sqlite"
"""In the cache folder: every reply that any run has paid for."""


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Who teaches, who writes problems, and who solves those whose answers are in doubt."""

    teacher: Teacher
    synthesizer: Synthesizer
    judge: Solver | None = None
    """Needed where the synthesizer's answers are not proven."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The ways to the models of a run; what they cost comes out of one purse."""

    callers: Mapping[Role, Caller] = field(default_factory=dict)
    purse: Purse = field(default_factory=Purse)


@dataclass(frozen=True, kw_only=True)
class Crew(Agents):
    """Agents at work: their coroutines run in a thread of their own, so that nodes may wait for them."""

    portal: BlockingPortal
    at_once: int
    """Pieces of work under way at a time."""
    desk: Desk

    def run(self, work: Callable[[*Ts], Awaitable[T]], *arguments: *Ts) -> T:
        # LangGraph finds the outer run by context variables, and would take a lesson for a part of it, which
        # is to be bookmarked as well.
        return Context().run(lambda: self.portal.call(work, *arguments))

    def stop(self) -> None:
        """Take no more calls; those under way are finished and kept."""
        for caller in self.desk.callers.values():
            caller.stop()

    def expenses(self) -> str:
        """What the run has spent so far, in a few words; empty where nobody asks a model."""
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
    """The given agents at work, or else those that the settings name.

    `run` is the id under which calls to models are paid for, and `paid` what it is known to have paid: more
    than the cache knows, where the run was begun with another. The descriptor `lock` is held for as long as
    a reply is on its way, even if this process is killed. Raises `UsageError` for a model that cannot be
    asked as the settings say, and for answers that are not proven where nobody judges them.
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
            at_once=settings.calls.at_once if desk.callers else 2 * settings.workers,
            desk=desk,
        )


@contextmanager
def open_desk(settings: Settings, run: str, paid: Usage, cache: Path, lock: int | None) -> Iterator[Desk]:
    """A way to each model that the settings name."""
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
    """The thread in which the agents work; it ends when every request in flight has been answered."""
    with start_blocking_portal() as portal:
        try:
            yield portal
        finally:
            for caller in desk.callers.values():
                portal.call(caller.close)
                portal.call(caller.model.close)


def find_models(settings: Settings) -> dict[Role, ChatModel]:
    """The models that the settings name; raises `UsageError` for one that cannot be asked."""
    check_roles(settings.roles())
    roles = {role for role in settings.roles().values() if role.is_model}
    seconds = settings.calls.seconds
    return {
        role: open_model(role.name, address=role.url, seconds=seconds, environment=ENVIRONMENT)
        for role in roles
    }


def price_of(role: Role, config: CallConfig) -> Price | None:
    """None where it is unknown, which is a `UsageError` where money is limited."""
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
