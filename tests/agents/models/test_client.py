"""The way of a request: cache, limits, tries, and how a run ends; in virtual time, with a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, count, cycle

import pytest

from fdd.agents.models.breaker import ALIKE, FAILURES, LONGEST_RETRY_AFTER
from fdd.agents.models.budget import Budget
from fdd.agents.models.client import Client
from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import Price
from fdd.agents.models.request import (
    Call,
    CallError,
    CallStatus,
    Fault,
    Finish,
    Message,
    ModelReply,
    ModelRequest,
)
from fdd.domain import StoredReply
from fdd.errors import FddError, LimitReachedError, ProviderError, StoppedError, StoreError
from tests.agents.models.virtual import run

REPLY = ModelReply(text="72", finish=Finish.STOP, prompt_tokens=100, completion_tokens=10)
PRICE = Price(input=1000, output=10_000)
COST = 0.2
"""Of REPLY at PRICE."""

Outcome = ModelReply | CallError


class ScriptedModel:
    """Answers with what comes next in its script, each time after `latency` seconds; fails at its end."""

    name = "openai:scripted"
    address = ""

    def __init__(self, script: Iterable[Outcome], latency: float = 1.0) -> None:
        self._script = iter(script)
        self._latency = latency
        self.sent: list[float] = []
        """When each request came."""
        self.most = 0
        """Most requests at a time."""
        self._inside = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        self.sent.append(asyncio.get_running_loop().time())
        outcome = next(self._script)
        self._inside += 1
        self.most = max(self.most, self._inside)
        await asyncio.sleep(self._latency)
        self._inside -= 1
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Nothing is open."""


class MemoryCache:
    """A reply cache that lasts as long as a test."""

    def __init__(self, *stored: StoredReply) -> None:
        self.replies = {reply.key: reply for reply in stored}

    def get(self, key: str) -> StoredReply | None:
        return self.replies.get(key)

    def put(self, reply: StoredReply) -> StoredReply:
        return self.replies.setdefault(reply.key, reply)


def forever(outcome: Outcome) -> Iterator[Outcome]:
    while True:
        yield outcome


def request(number: int = 0, agent: str = "teacher") -> ModelRequest:
    messages = (Message(role="user", content=f"What is {number} + {number}?"),)
    return ModelRequest(agent=agent, messages=messages, temperature=0.7, max_tokens=50)


def open_client(
    model: ScriptedModel,
    *,
    cache: MemoryCache | None = None,
    budget: Budget | None = None,
    run: str = "this",
    tries: int = 4,
    at_once: int = 64,
) -> Client:
    return Client(
        model,
        run=run,
        cache=MemoryCache() if cache is None else cache,
        budget=budget or Budget(CallConfig()),
        price=PRICE,
        config=CallConfig(at_once=at_once, tries=tries),
    )


def ask(client: Client) -> Call:
    """One call, from its beginning to its end."""
    return run(client.ask(request()))


def test_an_answered_call_says_what_it_was_and_what_it_cost() -> None:
    call = ask(open_client(ScriptedModel([REPLY], latency=3)))
    assert (call.status, call.reply, call.model, call.tries) == (
        CallStatus.ANSWERED,
        REPLY,
        "openai:scripted",
        1,
    )
    assert (call.paid, call.cost_usd, call.seconds, call.detail) == (True, COST, 3, "")


def test_what_is_stored_is_not_asked_again_and_costs_another_run_nothing() -> None:
    cache, budget = MemoryCache(), Budget(CallConfig())
    first = ask(open_client(ScriptedModel([REPLY]), cache=cache, run="first"))
    second = ask(open_client(ScriptedModel([]), cache=cache, run="second", budget=budget))
    assert second == replace(first, paid=False, cost_usd=0.0)
    assert budget.spent.calls == 0


def test_a_resumed_run_knows_what_it_has_paid_for() -> None:
    cache, budget = MemoryCache(), Budget(CallConfig())
    before = ask(open_client(ScriptedModel([REPLY]), cache=cache))
    after = ask(open_client(ScriptedModel([]), cache=cache, budget=budget))
    assert after == before
    assert budget.spent.calls == 0


def test_a_reply_is_stored_with_everything_that_it_came_from() -> None:
    cache = MemoryCache()
    call = ask(open_client(ScriptedModel([REPLY]), cache=cache))
    (stored,) = cache.replies.values()
    assert (stored.key, stored.run, stored.agent, stored.text) == (call.key, "this", "teacher", "72")
    assert stored.prompt == '[{"role": "user", "content": "What is 0 + 0?"}]'
    assert stored.settings == '{"temperature": 0.7, "max_tokens": 50, "sample": 0}'


def test_equal_requests_in_flight_are_sent_once() -> None:
    async def scenario() -> tuple[Call, Call]:
        client = open_client(ScriptedModel([REPLY]))
        return await asyncio.gather(client.ask(request()), client.ask(request(agent="verifier")))

    first, second = run(scenario())
    assert second == replace(first, request=request(agent="verifier"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault.RATE_LIMITED,
        Fault.OVERLOADED,
        Fault.SERVER_ERROR,
        Fault.TIMEOUT,
        Fault.CONNECTION,
        Fault.UNREADABLE,
    ],
)
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    call = ask(open_client(ScriptedModel([CallError(fault, "oh"), CallError(fault, "oh"), REPLY])))
    assert (call.status, call.tries) == (CallStatus.ANSWERED, 3)


def test_after_every_try_the_call_has_failed_with_its_last_fault_and_nothing_is_stored() -> None:
    cache = MemoryCache()
    script: list[Outcome] = [*[CallError(Fault.TIMEOUT, "late")] * 3, CallError(Fault.SERVER_ERROR, "oh")]
    call = ask(open_client(ScriptedModel(script), cache=cache))
    assert (call.status, call.reply, call.tries) == (CallStatus.FAILED, None, 4)
    assert (call.detail, call.cost_usd, cache.replies) == ("server_error: oh", 0.0, {})


def test_a_rejected_request_is_not_sent_again() -> None:
    call = ask(open_client(ScriptedModel([CallError(Fault.REJECTED, "too long")])))
    assert (call.status, call.tries, call.detail) == (CallStatus.FAILED, 1, "rejected: too long")


@pytest.mark.parametrize(
    ("finish", "status"), [(Finish.LENGTH, CallStatus.TRUNCATED), (Finish.FILTERED, CallStatus.FILTERED)]
)
def test_unfinished_replies_are_paid_for_and_stored_but_no_answers(
    finish: Finish, status: CallStatus
) -> None:
    cache, budget = MemoryCache(), Budget(CallConfig())
    call = ask(open_client(ScriptedModel([replace(REPLY, finish=finish)]), cache=cache, budget=budget))
    again = ask(open_client(ScriptedModel([]), cache=cache))
    assert call.status is again.status is status
    assert call.detail == again.detail != ""
    assert budget.spent.cost_usd == COST


def ask_many(model: ScriptedModel, calls: int) -> list[Call | BaseException]:
    """One call after the other."""

    async def scenario() -> list[Call | BaseException]:
        client = open_client(model, at_once=1)
        return await asyncio.gather(
            *(client.ask(request(number)) for number in range(calls)), return_exceptions=True
        )

    return run(scenario())


def test_requests_that_are_all_rejected_for_one_reason_end_the_run_soon() -> None:
    """Although the numbers in the message differ."""
    refusals = (CallError(Fault.REJECTED, f"no room for {number} tokens") for number in count())
    model = ScriptedModel(refusals)
    ended = ask_many(model, calls=100)
    assert len(model.sent) == ALIKE
    assert isinstance(ended[-1], ProviderError)
    assert "the first 5 requests were rejected: no room for 4 tokens; mend the server" in str(ended[-1])


def test_replies_that_are_all_cut_off_end_the_run_soon_and_say_what_to_do() -> None:
    model = ScriptedModel(forever(replace(REPLY, finish=Finish.LENGTH)))
    ended = ask_many(model, calls=100)
    assert len(model.sent) == ALIKE
    assert isinstance(ended[-1], ProviderError)
    assert "cut off at 50 tokens; start a new run with a higher --max-reply-tokens" in str(ended[-1])


@pytest.mark.parametrize(
    "lost", [CallError(Fault.REJECTED, "no"), replace(REPLY, finish=Finish.LENGTH)], ids=["rejected", "cut"]
)
def test_after_one_reply_that_is_whole_no_others_end_the_run(lost: Outcome) -> None:
    script = chain([lost] * (ALIKE - 1), [REPLY], forever(lost))
    assert {type(end) for end in ask_many(ScriptedModel(script), calls=20)} == {Call}


def test_requests_that_are_rejected_for_several_reasons_do_not_end_the_run() -> None:
    reasons = cycle(CallError(Fault.REJECTED, reason) for reason in ("long", "rude", "odd"))
    assert {type(end) for end in ask_many(ScriptedModel(reasons), calls=3 * (ALIKE - 1))} == {Call}


def test_replies_that_were_cut_off_in_another_run_are_paid_for_no_more_often() -> None:
    cache, cut = MemoryCache(), replace(REPLY, finish=Finish.LENGTH)
    model = ScriptedModel([cut] * ALIKE)

    async def scenario() -> None:
        for name in ("first", "second"):
            client = open_client(model, cache=cache, run=name)
            for number in range(ALIKE):
                await client.ask(request(number))
            with pytest.raises(ProviderError):
                await client.ask(request(ALIKE))

    run(scenario())
    assert len(model.sent) == ALIKE


def test_a_server_named_by_its_url_can_have_moved() -> None:
    model = ScriptedModel([CallError(Fault.DENIED, "no such page")])
    model.address = "http://localhost:8000"
    with pytest.raises(ProviderError, match="go on later with `resume`, which takes another URL as well"):
        ask(open_client(model))


def test_pauses_between_tries_grow() -> None:
    def longest_pause(number: int) -> float:
        models = [ScriptedModel(forever(CallError(Fault.CONNECTION, "oh")), latency=0) for _ in range(40)]
        for seed, model in enumerate(models):
            run(open_client(model, tries=number + 1).ask(request(seed)))
        return max(model.sent[number] - model.sent[number - 1] for model in models)

    assert 0.5 < longest_pause(1) <= 1
    assert 2 < longest_pause(3) <= 4


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.SERVER_ERROR])
def test_a_request_is_not_sent_again_before_the_server_wants_it(fault: Fault) -> None:
    model = ScriptedModel([CallError(fault, "later", retry_after=100), REPLY], latency=0)
    assert ask(open_client(model)).status is CallStatus.ANSWERED
    assert 100 <= model.sent[1] <= 101


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.OVERLOADED])
def test_a_server_that_asks_to_wait_for_too_long_ends_everything_at_once(fault: Fault) -> None:
    later = CallError(fault, "tomorrow", retry_after=86400)
    model, ended, seconds = outage(later, calls=100)
    said = f"openai:scripted: the server asks to wait 86400 s ({fault}: tomorrow); go on later with `resume`"
    assert {(type(end), str(end)) for end in ended} == {(ProviderError, said)}
    assert seconds < 1
    assert len(model.sent) < 100


def test_a_server_is_waited_for_as_long_as_a_run_waits_at_most() -> None:
    script: list[Outcome] = [CallError(Fault.RATE_LIMITED, "later", retry_after=LONGEST_RETRY_AFTER), REPLY]
    assert ask(open_client(ScriptedModel(script))).status is CallStatus.ANSWERED


def test_a_last_try_that_is_put_off_for_too_long_is_not_given_up_either() -> None:
    later = CallError(Fault.RATE_LIMITED, "tomorrow", retry_after=LONGEST_RETRY_AFTER + 1)
    with pytest.raises(ProviderError, match="asks to wait 301 s"):
        ask(open_client(ScriptedModel([later]), tries=1))


def test_while_a_server_is_asked_too_much_nobody_takes_the_place_of_who_waits() -> None:
    script: list[Outcome] = [CallError(Fault.RATE_LIMITED, "later", retry_after=20), REPLY, REPLY, REPLY]
    model = ScriptedModel(script, latency=0)

    async def scenario() -> list[Call]:
        client = open_client(model, at_once=1)
        return await asyncio.gather(*(client.ask(request(number)) for number in range(3)))

    calls = run(scenario())
    assert min(model.sent[1:]) >= 20
    assert {call.status for call in calls} == {CallStatus.ANSWERED}


def test_no_more_than_the_most_are_in_flight() -> None:
    model = ScriptedModel(forever(REPLY))

    async def scenario() -> None:
        client = open_client(model, at_once=7)
        await asyncio.gather(*(client.ask(request(number)) for number in range(100)))

    run(scenario())
    assert model.most == 7


def test_a_wrong_key_ends_everything_at_once() -> None:
    model = ScriptedModel([CallError(Fault.DENIED, "wrong key"), REPLY], latency=1)

    async def scenario() -> list[Call | BaseException]:
        client = open_client(model, at_once=1)
        ended = await asyncio.gather(
            *(client.ask(request(number)) for number in range(10)), return_exceptions=True
        )
        with pytest.raises(ProviderError):
            await client.ask(request(99))
        return ended

    ended = run(scenario())
    assert {str(error) for error in ended} == {
        "openai:scripted: denied: wrong key; go on later with `resume`"
    }
    assert len(model.sent) == 1


def outage(error: CallError, calls: int) -> tuple[ScriptedModel, list[Call | BaseException], float]:
    """Many calls to a server that only ever fails; with the seconds until the last of them ended."""
    model = ScriptedModel(forever(error), latency=0.01)

    async def scenario() -> tuple[list[Call | BaseException], float]:
        client = open_client(model, tries=8)
        tasks = (client.ask(request(number)) for number in range(calls))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return ended, asyncio.get_running_loop().time()

    return model, *run(scenario())


def test_a_dead_server_ends_the_run_soon_and_no_call_is_given_up() -> None:
    model, ended, seconds = outage(CallError(Fault.CONNECTION, "refused"), calls=100)
    assert {type(end) for end in ended} == {ProviderError}
    assert "tries in" in str(ended[0])
    assert "connection: refused; go on later with `resume`" in str(ended[0])
    assert seconds < 10
    assert len(model.sent) >= FAILURES


def test_a_server_that_only_rejects_ends_the_run_after_a_while() -> None:
    _, ended, seconds = outage(CallError(Fault.RATE_LIMITED, "later", retry_after=30), calls=100)
    assert ProviderError in {type(end) for end in ended}
    assert 300 <= seconds < 400


def test_many_faults_of_every_kind_lose_no_call() -> None:
    faults = [fault for fault in Fault if fault not in (Fault.REJECTED, Fault.DENIED)]

    def script() -> Iterator[Outcome]:
        while True:
            for fault in faults:
                yield CallError(fault, "oh")
                yield from (REPLY,) * 3

    async def scenario() -> list[Call]:
        client = open_client(ScriptedModel(script()), tries=8)
        return await asyncio.gather(*(client.ask(request(number)) for number in range(500)))

    assert {call.status for call in run(scenario())} == {CallStatus.ANSWERED}


def test_the_run_is_at_most_one_call_over_its_limit_and_says_so() -> None:
    budget = Budget(CallConfig(max_cost=10 * COST - 0.01))

    async def scenario() -> list[Call | BaseException]:
        client = open_client(ScriptedModel(forever(REPLY)), budget=budget)
        return await asyncio.gather(
            *(client.ask(request(number)) for number in range(40)), return_exceptions=True
        )

    ended = run(scenario())
    assert sum(isinstance(end, LimitReachedError) for end in ended) == 30
    assert budget.spent.calls == 10
    assert budget.spent.cost_usd == pytest.approx(10 * COST)


async def interrupted(act: Callable[[Client], object], model: ScriptedModel, cache: MemoryCache) -> set[type]:
    """Ask ten at a time, one in flight, and `act` while the first is; gives what each came to."""
    client = open_client(model, cache=cache, at_once=1)
    tasks = [asyncio.ensure_future(client.ask(request(number))) for number in range(10)]
    await asyncio.sleep(0.5)
    act(client)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()
    return {type(end) for end in ended}


def test_after_a_stop_what_is_in_flight_is_stored_and_nothing_more_is_sent() -> None:
    model, cache = ScriptedModel([REPLY]), MemoryCache()
    assert run(interrupted(Client.stop, model, cache)) == {Call, StoppedError}
    assert len(cache.replies) == 1


def test_a_stop_comes_from_any_thread() -> None:
    async def scenario() -> None:
        client = open_client(ScriptedModel([CallError(Fault.CONNECTION, "oh", retry_after=200)], latency=0))
        task = asyncio.ensure_future(client.ask(request()))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(client.stop)
        await task

    with pytest.raises(StoppedError):
        asyncio.run(scenario())


def test_a_stopped_client_takes_no_calls() -> None:
    async def scenario() -> None:
        client = open_client(ScriptedModel([]))
        client.stop()
        await client.ask(request())

    with pytest.raises(StoppedError):
        run(scenario())


def test_a_stop_does_not_hide_that_the_provider_broke() -> None:
    async def scenario() -> FddError:
        client = open_client(ScriptedModel([CallError(Fault.DENIED, "wrong key")]))
        with pytest.raises(ProviderError):
            await client.ask(request())
        client.stop()
        with pytest.raises(ProviderError) as raised:
            await client.ask(request())
        return raised.value

    assert "wrong key" in str(run(scenario()))


def test_a_request_in_flight_is_stored_though_nobody_waits_for_it_any_more() -> None:
    cache = MemoryCache()

    async def scenario() -> None:
        client = open_client(ScriptedModel([REPLY]), cache=cache)
        task = asyncio.ensure_future(client.ask(request()))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.sleep(0)
        assert not cache.replies
        await client.close()

    run(scenario())
    assert len(cache.replies) == 1


class FullDisk(MemoryCache):
    """A reply cache that can be read but not written."""

    def put(self, reply: StoredReply) -> StoredReply:
        raise StoreError(f"cannot write to the call cache: {reply.key}")


def test_a_reply_that_cannot_be_stored_is_not_used() -> None:
    with pytest.raises(StoreError, match="cannot write to the call cache"):
        ask(open_client(ScriptedModel([REPLY]), cache=FullDisk()))


def test_where_another_run_stored_a_reply_meanwhile_that_one_counts() -> None:
    cache = MemoryCache()

    async def scenario() -> tuple[Call, Call]:
        slow = open_client(ScriptedModel([REPLY], latency=2), cache=cache, run="slow")
        fast = open_client(ScriptedModel([replace(REPLY, text="71")]), cache=cache, run="fast")
        return await asyncio.gather(slow.ask(request()), fast.ask(request()))

    slow, fast = run(scenario())
    assert slow.reply == fast.reply == replace(REPLY, text="71")
    assert (slow.paid, slow.cost_usd) == (True, COST)


@pytest.mark.parametrize(
    "other",
    [
        replace(request(), temperature=0.8),
        replace(request(), max_tokens=51),
        replace(request(), sample=1),
        replace(request(), messages=(Message(role="system", content="What is 0 + 0?"),)),
    ],
)
def test_another_question_has_another_key(other: ModelRequest) -> None:
    model = ScriptedModel([])
    assert other.key(model) != request().key(model)
